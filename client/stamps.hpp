// When the tasks of a client passed each place on their way, from its submit to its result.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "client/events.hpp"
#include "ipc/stamps.hpp"

namespace warmpool::client {

// Units: nanoseconds of CLOCK_MONOTONIC; 0: not known.
struct TaskStamps {
  std::uint64_t submitted = 0;  // submit() was called
  std::uint64_t written = 0;    // it is written to the daemon now
  ipc::PathStamps path{};       // what the daemon said
  std::uint64_t came = 0;       // the result has been read
};

// Bounds: kOpenMax tasks without their last stamp; of those beyond nothing is noted.
class StampLog {
 public:
  static constexpr std::size_t kOpenMax = 65'536;

  void submitted(Ticket ticket) {
    if (open_.size() >= kOpenMax) return;
    open_[ticket.value].submitted = ipc::stamp_now();
    unwritten_.push_back(ticket.value);
  }
  // All that was queued is written to the daemon now.
  void written() {
    if (unwritten_.empty()) return;
    const auto now = ipc::stamp_now();
    for (const auto ticket : unwritten_) {
      if (const auto found = open_.find(ticket); found != open_.end()) found->second.written = now;
    }
    unwritten_.clear();
  }
  void came(Ticket ticket) {
    if (const auto found = open_.find(ticket.value); found != open_.end()) {
      found->second.came = ipc::stamp_now();
    }
  }
  // It comes behind the result.
  void told(Ticket ticket, const ipc::PathStamps& path) {
    const auto found = open_.find(ticket.value);
    if (found == open_.end()) return;
    found->second.path = path;
    whole_.push_back(found->second);
    open_.erase(found);
  }
  std::vector<TaskStamps> take() { return std::exchange(whole_, {}); }

 private:
  std::unordered_map<std::uint64_t, TaskStamps> open_;  // by ticket
  std::vector<std::uint64_t> unwritten_;
  std::vector<TaskStamps> whole_;
};

}  // namespace warmpool::client
