// Bytes of several owners.
#pragma once

#include <cstring>
#include <memory>

#include "ipc/bytes.hpp"

namespace warmpool::ipc {

// Memory that bytes lie in.
using Memory = std::shared_ptr<const std::byte[]>;

// The last owner frees them. Threads: each owner may live on a thread of its own.
class SharedBytes {
 public:
  SharedBytes() = default;
  // A copy of `bytes`, which are not empty.
  explicit SharedBytes(Bytes bytes) : size_(bytes.size()) {
    auto copy = std::make_shared_for_overwrite<std::byte[]>(bytes.size());
    std::memcpy(copy.get(), bytes.data(), bytes.size());
    first_ = std::move(copy);
  }
  // `bytes`, which lie in `memory`, as they are.
  SharedBytes(Bytes bytes, const Memory& memory)
      : first_(memory, bytes.data()), size_(bytes.size()) {}

  Bytes bytes() const { return {first_.get(), size_}; }
  std::size_t size() const { return size_; }

 private:
  Memory first_;
  std::size_t size_ = 0;
};

}  // namespace warmpool::ipc
