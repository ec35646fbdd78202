// The owner of one file descriptor.
#pragma once

#include <memory>
#include <unistd.h>
#include <utility>

namespace warmpool::ipc {

// Owns: the descriptor; closes it. Errors: none; what close() says is of no use on Linux, where the
// number is free again whatever it returns (Source: close(2)).
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  // Owns: from here on the caller does.
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

// Of who sends one that others hold too: the last of them closes it.
using SharedFd = std::shared_ptr<const UniqueFd>;

}  // namespace warmpool::ipc
