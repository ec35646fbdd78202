// Kills for memory that the kernel counts over the whole machine: a worker that was killed by
// nobody we know, at a time when the kernel killed, was probably the one.
#pragma once

#include <cstdint>
#include <string>

#include "pool/time.hpp"

namespace warmpool::daemon {

class OomCount {
 public:
  // `source`: lines as of /proc/vmstat.
  explicit OomCount(std::string source = "/proc/vmstat");

  // Order: each second or so.
  void note();
  // Whether one was counted since the note before the last, and has not been found yet. The count
  // rises at the kill, its exit is told when its memory is gone: 9 ms for each 100 MiB.
  bool rose();

 private:
  static constexpr int kNotesKept = 5;  // as many seconds
  int age_ = 0;
  std::uint64_t counted() const;  // 0 where the kernel counts none

  std::string source_;
  std::uint64_t before_, latest_;
};

}  // namespace warmpool::daemon
