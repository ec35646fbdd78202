// The lock is held for moving batches and flags, never during a call of SQLite.
#include "daemon/store/store_thread.hpp"

#include <algorithm>
#include <chrono>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/exit_status.hpp"
#include "daemon/quiet_thread.hpp"

namespace warmpool::daemon {
namespace {

// What was acknowledged as written is synced after this: the window that a power cut may lose.
constexpr Duration kRelaxedWindow = seconds(1);
// So long nothing must have come before unused pages are given back, and then between some and
// more.
constexpr Duration kTidyAfter = seconds(1);
constexpr Duration kTidyPause = milliseconds(50);
Demand demand_of(const std::vector<ChangeBatch>& batches) {
  auto demand = Demand::Later;
  for (const auto& batch : batches) demand = std::max(demand, batch.demand);
  return demand;
}

}  // namespace

StoreThread::StoreThread(StoreThreadSetup setup)
    : setup_(std::move(setup)),
      connection_(setup_.place, std::move(setup_.database)),
      event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      bodies_(bodies_directory(setup_.place.path), setup_.life, event_.get()),
      late_(setup_.life),
      tidy_pause_(kTidyAfter) {}

Result<std::unique_ptr<StoreThread>> StoreThread::start(StoreThreadSetup setup) {
  std::unique_ptr<StoreThread> made(new StoreThread(std::move(setup)));
  if (!made->event_) {
    return Error{static_cast<int>(ExitStatus::System), "there is no descriptor for an eventfd"};
  }
  made->connection_.set_bounds(made->setup_.bounds);
  if (auto ready = made->connection_.prepare(); !ready) return store_error(ready.error());
  made->figures_.disk = made->connection_.figures();
  made->thread_ = quiet_thread("warmpool-store", [thread = made.get()] { thread->run(); });
  return made;
}

Result<void> StoreThread::finish() {
  if (!thread_.joinable()) return {};
  {
    const std::lock_guard lock(mutex_);
    quits_ = wanted_ = true;
  }
  wake_.notify_one();
  thread_.join();
  if (broken_) return last_error_;
  return closed_;
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

StoreThread::News StoreThread::take_news() {
  const std::lock_guard lock(mutex_);
  return std::exchange(news_, News{});
}

StoreThread::Figures StoreThread::figures() const {
  const auto began = began_ns_.load();
  const std::lock_guard lock(mutex_);
  auto figures = figures_;
  if (began != 0) figures.stalled = now() - Instant{began};
  return figures;
}

Instant StoreThread::now() const {
  return {setup_.begin.ns + setup_.time->steady_ns() - setup_.begin_steady_ns};
}

void StoreThread::run() {
  while (wait()) {
    if (broken_) {
      const std::lock_guard lock(mutex_);
      queue_.clear();
      continue;
    }
    if (std::exchange(tidies_, false)) {
      spare_ = connection_.give_back_pages();
      tidy_pause_ = kTidyPause;
      if (connection_.wal_is_full()) move_wal();
      continue;
    }
    if (again_at_ == kNever) take_batches();
    write_group();
  }
  closed_ = connection_.finish();
}

// Sleeps only after it has looked for a while and there is nothing left that comes later. A group
// that the disk did not take is waited with, whatever comes.
bool StoreThread::wait() {
  std::unique_lock lock(mutex_);
  const auto wanted = [this] { return again_at_ == kNever ? wanted_ : quits_; };
  const auto at = now();
  const auto due = std::min(
      {late_.due(), sync_due_, again_at_ == kNever ? at + LateChanges::kLateness : again_at_});
  wake_.wait_for(lock, std::chrono::nanoseconds(std::max<std::int64_t>(0, (due - at).ns)), wanted);
  if (again_at_ == kNever && !wanted_ && queue_.empty() && is_clean()) {
    sleeps_ = true;
    // Nothing new comes while the WAL is full, so no group would ever move it.
    const bool full = connection_.wal_is_full();
    if (spare_ || full) {
      const auto pause = full ? kTidyAfter : tidy_pause_;
      tidies_ = !wake_.wait_for(lock, std::chrono::nanoseconds(pause.ns), wanted);
    } else {
      wake_.wait(lock, wanted);
    }
    sleeps_ = false;
  }
  wanted_ = quits_;
  ending_ = quits_;
  if (broken_) return !quits_;
  return !quits_ || again_at_ != kNever || !queue_.empty() || !is_clean();
}

void StoreThread::take_batches() {
  std::size_t changes = 0;
  std::size_t bytes = 0;
  {
    const std::lock_guard lock(mutex_);
    if (bounds_) connection_.set_bounds(*std::exchange(bounds_, std::nullopt));
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

bool StoreThread::is_due(Instant at) const {
  const bool changes = std::ranges::any_of(
      batches_, [](const ChangeBatch& batch) { return !batch.changes.empty(); });
  return changes || ending_ || late_.due() <= at || sync_due_ <= at || again_at_ != kNever ||
         connection_.trim_due(at);
}

void StoreThread::write_group() {
  const auto at = now();
  const auto demand = demand_of(batches_);
  const auto through = batches_.empty() ? RecordNumber{written_.load()} : batches_.back().through;
  if (!is_due(at)) {
    batches_.clear();
    written_.store(through.value, std::memory_order_release);
    return;
  }
  spare_ = true;
  tidy_pause_ = kTidyAfter;
  late_.collect(ending_ ? kNever : at, starts_, receipts_);
  const bool synced = demand == Demand::Synced || sync_due_ <= at || ending_;
  const Group group{batches_, starts_, receipts_, through, at, setup_.time->wall(), synced};
  if (began_ns_.load() == 0) began_ns_.store(at.ns);
  const auto written = connection_.write(group, ending_);
  if (written.kind != Written::Kind::Later) began_ns_.store(0);
  take_outcome(written, group, demand);
  tell(written, synced);
}

void StoreThread::take_outcome(const Written& written, const Group& group, Demand demand) {
  again_at_ = kNever;
  last_error_ = written.error;
  if (written.kind == Written::Kind::Later) {
    again_at_ = now() + written.wait;
    return;
  }
  broken_ = written.kind == Written::Kind::Broken;
  if (!broken_) {
    written_.store(group.through.value, std::memory_order_release);
    std::ranges::copy(connection_.take_gone(), std::back_inserter(gone_));
    if (group.synced) {
      bodies_.remove(std::exchange(gone_, {}));
      sync_due_ = kNever;
    } else if (demand == Demand::Written || !gone_.empty()) {
      sync_due_ = std::min(sync_due_, group.now + kRelaxedWindow);
    }
  }
  batches_.clear();
  starts_.clear();
  receipts_.clear();
}

// The main thread hears of it by the eventfd.
void StoreThread::tell(const Written& written, bool synced) {
  {
    const std::lock_guard lock(mutex_);
    judge_accepting(written.refuses);
    if (written.kind == Written::Kind::Broken) news_.broken = written.error;
    if (written.kind == Written::Kind::Done) {
      figures_.disk = connection_.figures();
      ++figures_.commits;
      figures_.syncs += synced;
    }
  }
  wake_main();
}

// Order: the lock is held.
void StoreThread::judge_accepting(bool refuses) {
  const bool full = connection_.wal_is_full();
  const bool accepting = !refuses && !full;
  if (accepting != accepting_) news_.accepting = accepting_ = accepting;
  figures_.trouble = connection_.trouble();
  if (figures_.trouble.empty() && full) {
    figures_.trouble = "another program reads an old state of " + setup_.place.path +
                       ", so that its WAL cannot be moved into it; end that program";
  }
  figures_.wal_bytes = connection_.wal_bytes();
}

void StoreThread::move_wal() {
  connection_.check_wal();
  {
    const std::lock_guard lock(mutex_);
    judge_accepting(false);
  }
  wake_main();
}

void StoreThread::wake_main() {
  const std::uint64_t one = 1;
  (void)!::write(event_.get(), &one, sizeof one);
}

}  // namespace warmpool::daemon
