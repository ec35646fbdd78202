// A socket in the loop and not a library: addresses are literal, so no name is looked up, and of
// the answer its status is all that counts.
#include "daemon/http_probe.hpp"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>

namespace warmpool::daemon {
namespace {

constexpr std::size_t kLineBytesMax = 256;

}  // namespace

StatusLine status_line(std::string_view reply) {
  constexpr std::string_view begin = "HTTP/1.";
  StatusLine line;
  const auto end = reply.find('\n');
  line.whole = end != std::string_view::npos || reply.size() >= kLineBytesMax;
  const auto text = reply.substr(0, end);
  // HTTP/1.1 200 OK
  if (text.size() < 12 || text.substr(0, begin.size()) != begin || text[8] != ' ') return line;
  const auto [after, error] = std::from_chars(text.data() + 9, text.data() + 12, line.status);
  line.http = error == std::errc{} && after == text.data() + 12;
  return line;
}

HttpProbe::HttpProbe(Reactor& reactor, const LocalUrl& url, std::function<void()> wake)
    : wake_(std::move(wake)) {
  const bool six = url.host == "::1";
  request_ = "GET " + url.target + " HTTP/1.1\r\nHost: " + (six ? "[::1]" : url.host) + ":" +
             std::to_string(url.port) +
             "\r\nUser-Agent: warmpool\r\nAccept: */*\r\nConnection: close\r\n\r\n";
  if (!connect(url)) {
    end(false, "cannot connect: " + std::string(strerrordesc_np(errno)));
    return;
  }
  watch_ = reactor.watch(
      socket_.get(), [this] { read(); }, [this] { write(); });
  if (watch_) {
    watch_->want_write();
  } else {
    end(false, "the kernel watches no more descriptors");
  }
}

bool HttpProbe::connect(const LocalUrl& url) {
  const bool six = url.host == "::1";
  socket_ = ipc::UniqueFd(
      ::socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_) return false;
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(url.port);
  four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 other{};
  other.sin6_family = AF_INET6;
  other.sin6_port = htons(url.port);
  other.sin6_addr = in6addr_loopback;
  const auto* address =
      six ? reinterpret_cast<const sockaddr*>(&other) : reinterpret_cast<const sockaddr*>(&four);
  const auto length = static_cast<socklen_t>(six ? sizeof other : sizeof four);
  return ::connect(socket_.get(), address, length) == 0 || errno == EINPROGRESS;
}

void HttpProbe::write() {
  if (answer_) return;
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) return end(false, "cannot connect: " + std::string(strerrordesc_np(error)));
  const auto sent = ::send(socket_.get(), request_.data(), request_.size(), MSG_NOSIGNAL);
  if (sent > 0) request_.erase(0, static_cast<std::size_t>(sent));
  if (!request_.empty()) return watch_->want_write();
  watch_->start_reading();
}

void HttpProbe::read() {
  if (answer_) return;
  std::array<char, kLineBytesMax> buffer;
  const auto bytes = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (bytes > 0) reply_.append(buffer.data(), static_cast<std::size_t>(bytes));
  const auto line = status_line(reply_);
  if (!line.whole && bytes > 0) return;
  if (!line.http) return end(false, "no answer of HTTP/1 came");
  end(line.status >= 200 && line.status < 300, "status " + std::to_string(line.status));
}

void HttpProbe::end(bool well, std::string text) {
  answer_ = Answer{well, std::move(text)};
  if (watch_) watch_->stop_reading();
  wake_();
}

}  // namespace warmpool::daemon
