// Payloads and results that are handed over as descriptors: docs/protocol.md, section 13.
#pragma once

#include <cstdint>
#include <string>

#include "ipc/bytes.hpp"
#include "ipc/fd.hpp"
#include "ipc/shared_memory.hpp"
#include "pool/result.hpp"

namespace warmpool::ipc {

// Whether `fd` is a memfd of exactly `bytes` bytes that nobody can change or cut any more: who maps
// it is never ended by SIGBUS. Errors: a text that says what it is instead.
Result<void> check_sealed(int fd, std::uint64_t bytes);
// The rest of that check, of memory whose seals are right: it can be read, has `bytes` bytes, and
// about as many are there.
Result<void> check_memory(int fd, std::uint64_t bytes);

// Makes such a memfd. Errors of all: errno.
class LargeWriter {
 public:
  static Result<LargeWriter> make();
  Result<void> append(Bytes bytes);
  std::uint64_t bytes() const { return bytes_; }
  // Order: the last call.
  Result<UniqueFd> seal();
  // Likewise; for who seals it otherwise.
  UniqueFd unsealed() { return std::move(fd_); }

 private:
  explicit LargeWriter(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
  std::uint64_t bytes_ = 0;
};

// One of these bytes.
Result<UniqueFd> sealed_copy(Bytes bytes);

// `fd` itself where it is sealed, else such a copy of it: of a file that its holder opens anew by
// name (/proc/PID/fd/N), which may be another user's. Errors: it is shorter or longer than `bytes`,
// or errno. Blocks: while a file is read.
Result<UniqueFd> sealed_or_copied(UniqueFd fd, std::uint64_t bytes);

// The bytes of a descriptor that a daemon handed over: mapped where it is sealed, read where it is
// a file, which somebody could cut short. Owns: the mapping or the copy, not the descriptor.
// Bounds: what is mapped is private and cannot be written.
class LargeView {
 public:
  // Errors: it is shorter or longer than `bytes`, or the system's; the text says which.
  // Blocks: while a file is read.
  static Result<LargeView> of(int fd, std::uint64_t bytes);
  // Of memory that somebody keeps mapped for the next one: all of it.
  explicit LargeView(std::shared_ptr<const Mapping> kept) : kept_(std::move(kept)) {}
  LargeView(LargeView&& other) noexcept;
  LargeView& operator=(LargeView&& other) noexcept;
  LargeView(const LargeView&) = delete;
  LargeView& operator=(const LargeView&) = delete;
  ~LargeView();

  Bytes bytes() const {
    if (kept_) return {kept_->data(), kept_->bytes()};
    return mapped_.empty() ? bytes_of(read_) : mapped_;
  }

 private:
  LargeView() = default;
  Bytes mapped_;
  std::string read_;
  std::shared_ptr<const Mapping> kept_;
};

}  // namespace warmpool::ipc
