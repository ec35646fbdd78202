#include "daemon/directory/back_thread.hpp"

#include <cstdint>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utility>

#include "daemon/quiet_thread.hpp"
#include "pool/require.hpp"

namespace warmpool::daemon {

BackThread::BackThread(const char* name)
    : name_(name), event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  REQUIRE(event_);
}

BackThread::~BackThread() {
  {
    const std::lock_guard lock(mutex_);
    quits_ = true;
  }
  stop_ = true;
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void BackThread::post(Job job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  if (!thread_.joinable()) thread_ = quiet_thread(name_, [this] { run(); });
  wake_.notify_one();
}

void BackThread::complete() {
  std::uint64_t count = 0;
  (void)!::read(event_.get(), &count, sizeof count);
  std::vector<Completion> completions;
  {
    const std::lock_guard lock(mutex_);
    completions.swap(completions_);
  }
  for (auto& completion : completions) completion();
}

void BackThread::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return quits_ || !jobs_.empty(); });
    if (quits_) return;
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    auto completion = job(stop_);
    job = nullptr;
    lock.lock();
    completions_.push_back(std::move(completion));
    constexpr std::uint64_t one = 1;
    (void)!::write(event_.get(), &one, sizeof one);
  }
}

}  // namespace warmpool::daemon
