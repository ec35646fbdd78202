#include "client/cli/pipeline.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>

namespace warmpool::cli {

namespace {

constexpr std::chrono::milliseconds kSilenceMax = std::chrono::minutes(1);
constexpr std::size_t kPipeReadBytes = 256 * 1024;

Error failed(const char* what) { return {0, std::string(what) + ": " + std::strerror(errno)}; }

bool would_block() { return errno == EAGAIN || errno == EINTR; }

}  // namespace

Result<Pipeline> Pipeline::connect(const std::string& socket_path, ReadAnswers read) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path) {
    return Error{0, socket_path + " is too long for the name of a socket"};
  }
  std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size() + 1);
  ipc::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return failed("cannot make a socket");
  const auto* named = reinterpret_cast<const sockaddr*>(&address);
  if (::connect(socket.get(), named, sizeof address) != 0) {
    return failed(("cannot connect to " + socket_path).c_str());
  }
  return Pipeline(std::move(socket), read);
}

void Pipeline::ask(std::string_view request, std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) out_ += request;
  asked_ += times;
}

Result<void> Pipeline::write_some() {
  while (written_ < out_.size()) {
    const ssize_t done = ::send(socket_.get(), out_.data() + written_, out_.size() - written_,
                                MSG_NOSIGNAL | MSG_DONTWAIT);
    if (done < 0) return would_block() ? Result<void>() : failed("cannot write");
    written_ += static_cast<std::size_t>(done);
  }
  out_.clear();
  written_ = 0;
  return {};
}

Result<std::uint64_t> Pipeline::advance() {
  if (auto wrote = write_some(); !wrote) return wrote.error();
  buffer_.resize(kPipeReadBytes);
  const ssize_t got = ::recv(socket_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
  if (got == 0) return Error{0, "the server closed the connection"};
  if (got < 0) return would_block() ? Result<std::uint64_t>(0) : failed("cannot read");
  in_.append(buffer_, 0, static_cast<std::size_t>(got));
  auto answers = read_(in_);
  if (!answers) return answers.error();
  if (!answers->last.empty()) last_ = answers->last;
  in_.erase(0, answers->bytes);
  answered_ += answers->all;
  return answers->useful;
}

pollfd Pipeline::wish() const {
  const bool writes = written_ < out_.size();
  return {socket_.get(), static_cast<short>(POLLIN | (writes ? POLLOUT : 0)), 0};
}

Result<std::uint64_t> Pipeline::finish() {
  std::uint64_t useful = 0;
  auto heard_at = std::chrono::steady_clock::now();
  Pipeline* const self = this;
  while (unanswered() > 0) {
    const auto before = answered_;
    auto came = advance();
    if (!came) return came;
    useful += *came;
    if (answered_ != before) {
      heard_at = std::chrono::steady_clock::now();
      continue;
    }
    if (std::chrono::steady_clock::now() - heard_at > kSilenceMax) {
      return Error{0, "the server has not answered for a minute"};
    }
    wait_for_any({&self, 1}, std::chrono::seconds(1));
  }
  return useful;
}

void wait_for_any(std::span<Pipeline* const> pipelines, std::chrono::milliseconds most) {
  std::array<pollfd, 4> wishes{};
  const std::size_t count = std::min(pipelines.size(), wishes.size());
  for (std::size_t i = 0; i < count; ++i) wishes[i] = pipelines[i]->wish();
  ::poll(wishes.data(), count, static_cast<int>(most.count()));
}

}  // namespace warmpool::cli
