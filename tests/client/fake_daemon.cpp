// A thread and not a process, so that what it saw can be asserted on without a pipe back.
#include "tests/client/fake_daemon.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "tests/support/patience.hpp"

namespace warmpool::fake {

using ipc::Kind;

Peer::Peer(int fd)
    : channel_(ipc::UniqueFd(fd), ipc::before_hello(ipc::Party::Client, ipc::Party::Daemon)),
      fd_(fd) {}

bool Peer::welcome(const Limits& limits) {
  const auto hello = next();
  if (!hello || hello->kind() != Kind::Hello) return false;
  ipc::WelcomeMeta meta;
  meta.features = limits.features;
  meta.large_bytes_max = limits.large_bytes_max;
  meta.frame_bytes_max = limits.frame_bytes_max;
  meta.payload_bytes_max = limits.payload_bytes_max;
  meta.result_bytes_max = limits.payload_bytes_max;
  meta.in_flight_max = limits.in_flight_max;
  meta.server = "fake 1";
  std::string bytes;
  ipc::encode(meta, bytes);
  channel_.send({.kind = Kind::Welcome}, ipc::bytes_of(bytes));
  channel_.set_rules(ipc::after_hello(channel_.rules(), limits.frame_bytes_max, limits.features));
  channel_.keep_descriptors(limits.large_bytes_max != 0);
  flush();
  return true;
}

std::optional<Got> Peer::next() {
  ipc::Frame frame;
  while (channel_.receive(frame, test::patience_ends()) == ipc::Channel::State::Frame) {
    Got got{frame.header, std::string(ipc::text_of(frame.meta)),
            std::string(ipc::text_of(frame.payload))};
    if (frame.header.descriptors != 0) {
      got.descriptor = std::make_shared<const ipc::UniqueFd>(channel_.take_descriptor());
    }
    if (got.kind() == Kind::TypeName) {
      const auto meta = ipc::decode<ipc::TypeNameMeta>(frame.meta);
      EXPECT_TRUE(meta && types_.learn(got.header.type, meta->name));
    } else if (got.kind() == Kind::Ping) {
      channel_.send({.kind = Kind::Pong, .token = got.token()});
    } else {
      return got;
    }
  }
  return std::nullopt;
}

std::vector<Got> Peer::next(Kind kind, std::size_t count) {
  std::vector<Got> all;
  while (all.size() < count) {
    auto got = next();
    if (!got) break;
    if (got->kind() == kind) all.push_back(std::move(*got));
  }
  return all;
}

std::string Peer::type_of(const Got& submit) const {
  return std::string(types_.name_of(submit.header.type));
}

ipc::SubmitMeta Peer::submit_meta(const Got& submit) const {
  auto meta = ipc::decode<ipc::SubmitMeta>(ipc::bytes_of(submit.meta));
  EXPECT_TRUE(meta);
  return meta ? *meta : ipc::SubmitMeta{};
}

void Peer::accept(const Got& submit, std::uint64_t task, bool duplicate) {
  channel_.send({.kind = Kind::Accepted,
                 .flags = duplicate ? ipc::flag::kDuplicate : std::uint8_t{0},
                 .id = task,
                 .token = submit.token()});
}

void Peer::refuse(const Got& frame, Refusal code, const std::string& text, Duration retry_after) {
  std::string meta;
  ipc::encode(ipc::RefusedMeta{static_cast<std::uint16_t>(code), text, retry_after}, meta);
  channel_.send({.kind = Kind::Refused, .id = frame.header.id, .token = frame.token()},
                ipc::bytes_of(meta));
}

void Peer::settle(const Got& frame, std::uint64_t task, const std::string& result,
                  const ipc::SettledMeta& settled, Content content, std::uint16_t attempt) {
  std::string meta;
  ipc::encode(settled, meta);
  channel_.send({.kind = Kind::Settled,
                 .flags = ipc::content_flags(content),
                 .id = task,
                 .token = frame.token(),
                 .round = 1,
                 .attempt = attempt},
                ipc::bytes_of(meta), ipc::bytes_of(result));
}

void Peer::progress(const Got& frame, std::uint64_t task, std::uint16_t permille,
                    const std::string& partial, Content content) {
  std::string meta;
  ipc::encode(ipc::ProgressMeta{permille, "half way"}, meta);
  channel_.send({.kind = Kind::Progressed,
                 .flags = partial.empty() ? std::uint8_t{0} : ipc::content_flags(content),
                 .id = task,
                 .token = frame.token(),
                 .round = 1,
                 .attempt = 1},
                ipc::bytes_of(meta), ipc::bytes_of(partial));
}

void Peer::cancelled(const Got& cancel, std::uint64_t task) {
  std::string meta;
  ipc::encode(ipc::CancelledMeta{}, meta);
  channel_.send({.kind = Kind::Cancelled, .id = task, .token = cancel.token()},
                ipc::bytes_of(meta));
}

void Peer::reply(const Got& request, const std::string& document) {
  channel_.send({.kind = Kind::Reply, .token = request.token()}, {}, ipc::bytes_of(document));
}

void Peer::event(const Got& request, std::uint64_t number, const std::string& document, bool gap) {
  const auto flags = static_cast<std::uint8_t>(ipc::content_flags(Content::Json) |
                                               (gap ? ipc::flag::kGap : std::uint8_t{0}));
  channel_.send({.kind = Kind::Event, .flags = flags, .id = number, .token = request.token()}, {},
                ipc::bytes_of(document));
}

void Peer::flush() { channel_.flush(test::patience_ends()); }

void Peer::raw(const std::string& bytes) {
  flush();
  EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
}

void Peer::unlink_socket() const {
  sockaddr_un address{};
  socklen_t bytes = sizeof address;
  EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &bytes), 0);
  EXPECT_EQ(::unlink(address.sun_path), 0);
}

Daemon::Daemon(std::vector<Script> scripts) : scripts_(std::move(scripts)) {
  std::string path = "/tmp/warmpool-fake.XXXXXX";
  EXPECT_NE(::mkdtemp(path.data()), nullptr);
  directory_ = path;
  socket_ = path + "/warmpool.sock";
  listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket_.copy(address.sun_path, sizeof address.sun_path - 1);
  EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(::listen(listener_.get(), 64), 0);
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  stop_read_.reset(ends[0]);
  stop_write_.reset(ends[1]);
  // Signals are for the thread of the test.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { serve(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Daemon::join() {
  stop_write_.reset();
  if (thread_.joinable()) thread_.join();
}

Daemon::~Daemon() {
  join();
  ::unlink(socket_.c_str());
  ::rmdir(directory_.c_str());
}

void Daemon::serve() {
  while (true) {
    pollfd polled[2] = {{listener_.get(), POLLIN, 0}, {stop_read_.get(), POLLIN, 0}};
    if (::poll(polled, 2, -1) < 0 || polled[1].revents != 0) return;
    const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    const auto number = static_cast<std::size_t>(connections_++);
    Peer peer(fd);
    scripts_[std::min(number, scripts_.size() - 1)](peer);
    peer.flush();
  }
}

Daemon::Script echoing() {
  return [](Peer& peer) {
    if (!peer.welcome()) return;
    std::uint64_t task = 100;
    while (const auto got = peer.next()) {
      if (got->kind() != Kind::Submit) continue;
      peer.accept(*got, ++task);
      if ((got->header.flags & ipc::flag::kWait) != 0) {
        peer.settle(*got, task, got->payload, {}, ipc::content_of(got->header));
      }
    }
  };
}

}  // namespace warmpool::fake
