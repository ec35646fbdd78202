// A thread for what would hold up the loop, in the order given.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "ipc/fd.hpp"

namespace warmpool::daemon {

// Threads: post(), complete() and the destructor on one. A job runs on a thread of its own, which
//   is made for the first one: it may touch what it was given, and `stop`, which asks it to end.
//   What it returns runs in complete().
// Order: one job after the other.
class BackThread {
 public:
  using Completion = std::function<void()>;
  using Job = std::function<Completion(const std::atomic<bool>& stop)>;

  // `name`: as quiet_thread().
  explicit BackThread(const char* name);
  // What was not begun is left. Blocks: until what was begun has ended.
  ~BackThread();

  void post(Job job);
  // Readable when complete() has something to do.
  int fd() const { return event_.get(); }
  void complete();

 private:
  void run();

  const char* name_;
  ipc::UniqueFd event_;

  std::mutex mutex_;  // of what follows up to the empty line
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  std::vector<Completion> completions_;
  bool quits_ = false;

  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace warmpool::daemon
