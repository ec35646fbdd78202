// The lock is held for moving batches and flags, never during a call of SQLite.
#include "daemon/store/store_thread.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/exit_status.hpp"
#include "daemon/store/schema.hpp"

namespace warmpool::daemon {
namespace {

// What was acknowledged as written is synced after this: the window that a power cut may lose.
constexpr Duration kRelaxedWindow = seconds(1);

}  // namespace

StoreThread::StoreThread(StoreThreadSetup setup)
    : setup_(std::move(setup)),
      event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      late_(setup_.life) {}

Result<std::unique_ptr<StoreThread>> StoreThread::start(StoreThreadSetup setup) {
  std::unique_ptr<StoreThread> made(new StoreThread(std::move(setup)));
  if (!made->event_) {
    return Error{static_cast<int>(ExitStatus::System), "there is no descriptor for an eventfd"};
  }
  made->writer_.set_bounds(made->setup_.bounds);
  if (auto ready = made->writer_.prepare(made->setup_.database); !ready) return ready.error();
  made->figures_.disk = made->writer_.figures();
  // Signals are the main thread's, which reads them from a descriptor: delivered here they would
  // end the process.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  made->thread_ = std::thread([thread = made.get()] { thread->run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::pthread_setname_np(made->thread_.native_handle(), "warmpool-store");
  return made;
}

StoreThread::~StoreThread() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    quits_ = wanted_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

// Without a notice for what may come later, where the thread will look by itself.
void StoreThread::give(ChangeBatch batch) {
  bool wanted = batch.demand != Demand::Later;
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(batch));
    wanted = wanted || sleeps_;
    wanted_ = wanted_ || wanted;
  }
  if (wanted) wake_.notify_one();
}

void StoreThread::set_bounds(const DiskBounds& bounds) {
  {
    const std::lock_guard lock(mutex_);
    bounds_ = bounds;
  }
  want();
}

void StoreThread::trim() { want(); }

void StoreThread::want() {
  {
    const std::lock_guard lock(mutex_);
    wanted_ = true;
  }
  wake_.notify_one();
}

std::optional<Error> StoreThread::take_broken() {
  const std::lock_guard lock(mutex_);
  return std::exchange(broken_, std::nullopt);
}

StoreThread::Figures StoreThread::figures() const {
  const std::lock_guard lock(mutex_);
  return figures_;
}

Instant StoreThread::now() const {
  return {setup_.begin.ns + setup_.time->steady_ns() - setup_.begin_steady_ns};
}

void StoreThread::run() {
  while (wait()) {
    take_batches();
    if (!stuck_) write_group();
    batches_.clear();
    starts_.clear();
    receipts_.clear();
  }
  // What is still in the WAL moves into the file, so that a copy of the file alone is whole.
  if (!stuck_) (void)setup_.database.run("PRAGMA wal_checkpoint(TRUNCATE)");
}

// Sleeps only after it has looked for a while and there is nothing left that comes later.
bool StoreThread::wait() {
  std::unique_lock lock(mutex_);
  const auto wanted = [this] { return wanted_; };
  const auto due = std::min({late_.due(), sync_due_, now() + LateChanges::kLateness});
  wake_.wait_for(lock, std::chrono::nanoseconds((due - now()).ns), wanted);
  if (!wanted_ && queue_.empty() && is_clean()) {
    sleeps_ = true;
    wake_.wait(lock, wanted);
    sleeps_ = false;
  }
  wanted_ = quits_;
  ending_ = quits_;
  if (stuck_) return !quits_;
  return !quits_ || !queue_.empty() || !is_clean();
}

void StoreThread::take_batches() {
  std::size_t changes = 0;
  std::size_t bytes = 0;
  {
    const std::lock_guard lock(mutex_);
    if (bounds_) writer_.set_bounds(*std::exchange(bounds_, std::nullopt));
    while (!queue_.empty() && changes < kChangesMax && bytes < kBytesMax) {
      changes += queue_.front().changes.size();
      bytes += queue_.front().bytes;
      batches_.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    wanted_ = wanted_ || !queue_.empty();
  }
  for (auto& batch : batches_) late_.take(batch, now());
}

void StoreThread::write_group() {
  auto demand = Demand::Later;
  bool changes = false;
  for (const auto& batch : batches_) {
    demand = std::max(demand, batch.demand);
    changes = changes || !batch.changes.empty();
  }
  const auto at = now();
  const bool owes_sync = sync_due_ <= at || (ending_ && sync_due_ != kNever);
  const bool is_due = changes || late_.due() <= at || owes_sync || writer_.trim_due(at) || ending_;
  const auto through = batches_.empty() ? RecordNumber{written_.load()} : batches_.back().through;
  if (is_due) {
    late_.collect(ending_ ? kNever : at, starts_, receipts_);
    const Group group{batches_,
                      starts_,
                      receipts_,
                      through,
                      at,
                      setup_.time->wall(),
                      demand == Demand::Synced || owes_sync || ending_};
    if (auto written = writer_.write(group); !written) {
      const std::lock_guard lock(mutex_);
      stuck_ = true;
      broken_ = written.error();
    } else if (group.synced) {
      sync_due_ = kNever;
    } else if (demand == Demand::Written) {
      sync_due_ = std::min(sync_due_, at + kRelaxedWindow);
    }
    const std::lock_guard lock(mutex_);
    figures_.disk = writer_.figures();
    ++figures_.commits;
    figures_.syncs += group.synced;
  }
  publish(through);
}

void StoreThread::publish(RecordNumber through) {
  if (!stuck_ && through.value == written_.load()) return;
  if (!stuck_) written_.store(through.value, std::memory_order_release);
  const std::uint64_t one = 1;
  (void)!::write(event_.get(), &one, sizeof one);
}

}  // namespace warmpool::daemon
