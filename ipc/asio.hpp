// The one door to Asio. Only .cpp files include it: it costs seconds of build time each.
#pragma once

// Boost 1.74 uses std::exchange without including its header, which g++ 12 does not forgive.
#include <utility>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

namespace warmpool::ipc {
namespace asio = boost::asio;
using boost::system::error_code;
}  // namespace warmpool::ipc
