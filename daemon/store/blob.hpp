// A payload or a result in one allocation of its size, behind one pointer: a million of them wait.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "ipc/fd.hpp"
#include "ipc/shared_bytes.hpp"

namespace warmpool::daemon {

// Owns: its bytes, as a copy that is made once or in the memory they were received in, together
// with those that share() gave. From kSharedBytesMin on they are shared with the buffers that send
// them too, so that no second copy is made. Or a descriptor of them, where they were handed over as
// one; it is closed with the last share. Bounds: below 2 GiB. Threads: each one may live on a
// thread of its own.
class Blob {
 public:
  static constexpr std::size_t kSharedBytesMin = 8 * 1024;

  Blob() = default;
  explicit Blob(ipc::Bytes bytes) : Blob(bytes, nullptr) {}
  // `memory`, in which they lie, is kept in place of a copy. Null: they are copied.
  Blob(ipc::Bytes bytes, const ipc::Memory& memory);
  // REQUIREs 0 < bytes < 2 GiB.
  Blob(ipc::SharedFd descriptor, std::uint64_t bytes);
  Blob(Blob&& other) noexcept : box_(std::exchange(other.box_, nullptr)) {}
  Blob& operator=(Blob&& other) noexcept {
    std::swap(box_, other.box_);
    return *this;
  }
  Blob(const Blob&) = delete;
  Blob& operator=(const Blob&) = delete;
  ~Blob() { release(); }

  // The same bytes, once more.
  Blob share() const;

  std::size_t size() const;
  // Empty of one by descriptor.
  ipc::Bytes bytes() const;
  bool is_by_descriptor() const;
  // Null: its bytes are here.
  ipc::SharedFd descriptor() const;
  // Empty when small: then bytes() are copied.
  ipc::SharedBytes shared() const;

 private:
  struct Box;
  void release();

  Box* box_ = nullptr;  // null: no bytes
};

}  // namespace warmpool::daemon
