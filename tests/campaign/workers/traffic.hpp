// The tasks of others, which must not notice the faults: one after the other, as long as it lives.
#pragma once

#include <atomic>
#include <string>
#include <thread>

#include "tests/campaign/workers/figures.hpp"
#include "tests/campaign/workers/sender.hpp"

namespace warmpool::campaign {

// Order: end() before the results are read.
class Traffic {
 public:
  explicit Traffic(const std::string& socket);
  ~Traffic() { end(); }
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

  // Blocks: until the last one has settled.
  void end();
  const Sender& sender() const { return sender_; }
  const Times& times() const { return times_; }

 private:
  void run();

  Sender sender_;
  Times times_;
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

}  // namespace warmpool::campaign
