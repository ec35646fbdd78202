// The attempts of one task: the first and the last of them, with what they said.
#pragma once

#include <string>
#include <vector>

#include "daemon/store/store.hpp"

namespace warmpool::daemon {

// Bounds: kFirstAttemptsKept + kLastAttemptsKept attempts, texts by the constants of store.hpp.
class History {
 public:
  // `error` and `output` are cut to what is kept.
  // `autopsy` is left out if it is longer.
  void add(AttemptEntry entry, std::string_view error, std::vector<std::string> output,
           std::string autopsy = {});

  const std::vector<AttemptEntry>& attempts() const { return attempts_; }
  const std::string& last_error() const { return last_error_; }
  std::uint32_t dropped() const { return dropped_; }
  // How many were ever added.
  std::uint32_t count() const { return dropped_ + static_cast<std::uint32_t>(attempts_.size()); }
  void restore_dropped(std::uint32_t attempts) { dropped_ = attempts; }

 private:
  std::vector<AttemptEntry> attempts_;
  std::string last_error_;
  std::uint32_t dropped_ = 0;
};

}  // namespace warmpool::daemon
