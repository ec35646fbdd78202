// One of the standard descriptors, written to in large pieces.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace warmpool::cli {

// Owns: no descriptor. Errors: after a failed write broken() is true and all else is dropped; the
// command ends with kBrokenPipe when its standard output is. Threads: one at a time.
class Output {
 public:
  explicit Output(int fd);
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() { flush(); }

  // Blocks: when more than 64 KiB have come together.
  void write(std::string_view text);
  // Queues without ever writing: for loops that poll the descriptor and call write_some.
  void queue(std::string_view text) { pending_ += text; }
  // Blocks: until all is written.
  void flush();
  // What can be written without blocking once poll said that the descriptor is writable.
  void write_some();

  int fd() const { return fd_; }
  bool is_terminal() const { return is_terminal_; }
  bool broken() const { return error_ != 0; }
  int error() const { return error_; }  // errno of the write that failed
  std::size_t pending() const { return pending_.size() - begin_; }

 private:
  bool write_once(std::size_t bytes_max);

  int fd_;
  bool is_terminal_, may_block_;
  int error_ = 0;
  std::string pending_;
  std::size_t begin_ = 0;
};

}  // namespace warmpool::cli
