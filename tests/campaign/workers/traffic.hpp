// The tasks of others, which must not notice the faults, as long as it lives.
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/campaign/workers/figures.hpp"
#include "tests/campaign/workers/sender.hpp"

namespace warmpool::campaign {

// Of type other, one after the other, each judged. Order: end() before the results are read.
class Traffic {
 public:
  Traffic(const std::string& socket, std::chrono::milliseconds pause);
  ~Traffic() { end(); }
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

  // Blocks: until the last one has settled.
  void end();
  const Sender& sender() const { return sender_; }
  // Of those that were submitted in this time. Units: nanoseconds.
  Times times_between(std::uint64_t from, std::uint64_t to) const;

 private:
  void run();

  std::chrono::milliseconds pause_;
  Sender sender_;
  struct Took {
    std::uint64_t submitted_at, told_at;
  };
  std::vector<Took> took_;
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

// Of type mass, some hundreds a second, of which nothing is kept but how many are done. Order:
// end() before that is read.
class Mass {
 public:
  explicit Mass(const std::string& socket);
  ~Mass() { end(); }
  Mass(const Mass&) = delete;
  Mass& operator=(const Mass&) = delete;

  // Blocks: until the last one has settled.
  void end();
  std::uint64_t sent() const { return sender_.flooded(); }
  std::uint64_t done() const { return done_; }

 private:
  void run();

  Sender sender_;
  std::uint64_t done_ = 0;
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

}  // namespace warmpool::campaign
