// The kernel's room for what was written and not read yet.
#pragma once

#include <cstddef>

namespace warmpool::ipc {

// About 200 KiB on a socket, 64 KiB in a pipe: a mebibyte then takes so many turns of both ends. It
// is widened once more than that is to be written, and not before: most connections never have so
// much, and what a peer does not read stays in the kernel. Where the system allows less, less it
// is.
class SendRoom {
 public:
  static constexpr std::size_t kWidenedBytesMin = 128 * 1024;
  static constexpr int kWideBytes = 1024 * 1024;

  // `bytes` are to be written to `fd`, which is the same each time.
  void fit(int fd, std::size_t bytes) {
    if (bytes >= kWidenedBytesMin && !wide_) widen(fd);
  }

 private:
  void widen(int fd);

  bool wide_ = false;
};

}  // namespace warmpool::ipc
