// The lock is held for moving batches and flags, never during a call of SQLite.
#include "daemon/store/store_thread.hpp"

#include <algorithm>
#include <chrono>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/exit_status.hpp"
#include "daemon/quiet_thread.hpp"
#include "daemon/store/journal_recovery.hpp"

namespace warmpool::daemon {
namespace {

// So long nothing must have come before unused pages are given back, and then between some and
// more.
constexpr Duration kTidyAfter = seconds(1);
constexpr Duration kTidyPause = milliseconds(50);
constexpr Duration kMoveAgain = seconds(1);

}  // namespace

bool StoreGroup::is_full() const {
  return changes >= StoreThread::kChangesMax || bytes >= StoreThread::kBytesMax;
}

std::uint64_t StoreGroup::journal(std::uint64_t newest, std::size_t count) const {
  for (std::size_t at = 0; at < count; ++at) newest = std::max(newest, batches[at].journal);
  return newest;
}

std::optional<RecordNumber> StoreGroup::through(std::size_t count) const {
  return count == 0 ? std::nullopt : std::optional(batches[count - 1].through);
}

void StoreGroup::append(ChangeBatch batch) {
  changes += batch.changes.size();
  bytes += batch.bytes;
  demand = std::max(demand, batch.demand);
  batches.push_back(std::move(batch));
}

void StoreGroup::drop_first(std::size_t count) {
  auto rest = std::exchange(batches, {});
  clear();
  std::for_each(rest.begin() + static_cast<std::ptrdiff_t>(count), rest.end(),
                [this](ChangeBatch& batch) { append(std::move(batch)); });
}

void StoreGroup::clear() {
  batches.clear();
  gone.clear();
  added = tried = changes = bytes = 0;
  demand = Demand::Later;
}

StoreThread::StoreThread(StoreThreadSetup setup)
    : setup_(std::move(setup)),
      connection_(setup_.place, std::move(setup_.database)),
      event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      bodies_(bodies_directory(setup_.place.path), setup_.life, event_.get()),
      suspects_(setup_.life),
      tidy_pause_(kTidyAfter) {}

Result<std::unique_ptr<StoreThread>> StoreThread::start(StoreThreadSetup setup) {
  std::unique_ptr<StoreThread> made(new StoreThread(std::move(setup)));
  if (!made->event_) {
    return Error{static_cast<int>(ExitStatus::System), "there is no descriptor for an eventfd"};
  }
  made->connection_.set_bounds(made->setup_.bounds);
  if (auto ready = made->connection_.prepare(); !ready) return store_error(ready.error());
  // The file itself is to say that this life has begun; while a reader hinders it, move_wal()
  // tries.
  made->connection_.check_wal();
  made->figures_.disk = made->connection_.figures();
  const bool ahead = made->setup_.place.journal_bytes != 0;
  if (ahead) made->try_journal();
  for (bool leads = true; auto& thread : made->threads_) {
    thread = quiet_thread("warmpool-store", [made = made.get(), leads] { made->run(leads); });
    leads = false;
  }
  if (ahead) {
    made->journal_thread_ =
        quiet_thread("warmpool-ahead", [made = made.get()] { made->run_journal(); });
  }
  return made;
}

Result<void> StoreThread::finish() {
  if (journal_thread_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      journal_ends_ = true;
    }
    journal_wake_.notify_one();
    journal_thread_.join();
  }
  {
    const std::lock_guard lock(mutex_);
    quits_ = wanted_ = true;
  }
  wake_.notify_one();
  pen_free_.notify_all();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  if (broken_) return last_error_;
  return closed_;
}

// Without a notice for what may come later, where a thread will look by itself.
void StoreThread::give(ChangeBatch batch) {
  bool wanted = batch.demand != Demand::Later, taken = false, ahead = false;
  batch.starts_need = suspects_.need_of(batch.starts, now());
  {
    const std::lock_guard lock(mutex_);
    if (back_at_ != kNever && accepting_ && now() >= back_at_) come_back();
    queue_.push_back(std::move(batch));
    ahead = has_fresh();
    if (ahead && way_ == Way::Ahead && !keeps_ && ready_ + 1 == queue_.size() &&
        queue_.back().changes.empty()) {
      raise_written(queue_.back().through);
      pass(1, wanted = false);
      ahead = false;
    } else if (!ahead) {
      wanted = wanted || sleeps_;
      wanted_ = wanted_ || wanted;
    }
    taken = pen_taken_;
  }
  if (ahead) return journal_wake_.notify_one();
  if (wanted) (taken ? wake_ : pen_free_).notify_one();
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
  bool taken = false;
  {
    const std::lock_guard lock(mutex_);
    wanted_ = true;
    taken = pen_taken_;
  }
  (taken ? wake_ : pen_free_).notify_one();
}

StoreNews StoreThread::take_news() {
  const std::lock_guard lock(mutex_);
  return std::exchange(news_, StoreNews{});
}

void StoreThread::go_on() {
  {
    const std::lock_guard lock(mutex_);
    undone_ = false;
  }
  wake_.notify_one();
}

WriterFigures StoreThread::figures() const {
  const std::lock_guard lock(mutex_);
  auto figures = figures_;
  figures.ahead = left_ + queue_.size() - in_tables_;
  // Nothing waits for the tables where the journal has it.
  const bool ahead = way_ == Way::Ahead;
  for (const auto& since : {ahead ? std::nullopt : writes_since_,
                            ahead ? std::nullopt : syncs_since_, keeps_since_, waits_since_}) {
    if (since) figures.stalled = std::max(figures.stalled, now() - *since);
  }
  return figures;
}

Instant StoreThread::now() const {
  return {setup_.begin.ns + setup_.time->steady_ns() - setup_.begin_steady_ns};
}

void StoreThread::run(bool leads) {
  for (; take_pen(leads); leads = true) {
    for (bool has_pen = true; has_pen;) {
      if (!wait()) return end();
      has_pen = turn();
    }
  }
}

// Who has synced goes on; the other is wanted only where that one is not back yet.
bool StoreThread::take_pen(bool leads) {
  Lock lock(mutex_);
  if (!leads || pen_taken_) {
    pen_free_.wait(lock, [this] { return ended_ || (!pen_taken_ && (wanted_ || quits_)); });
  }
  if (ended_) return false;
  pen_taken_ = true;
  return true;
}

void StoreThread::end() {
  closed_ = connection_.finish(!broken_, setup_.place.journal_bytes != 0);
  if (closed_ && hand_.journal && !broken_) {
    hand_.journal.reset();
    ::unlink(journal_path(setup_.place.path).c_str());
  }
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  pen_free_.notify_all();
}

// Sleeps only after it has looked for a while and there is nothing left that comes later. A group
// that the disk did not take is waited with, whatever comes.
bool StoreThread::wait() {
  Lock lock(mutex_);
  wake_.wait(lock, [this] { return !undone_ || quits_; });
  const auto wanted = [this] {
    return again_at_ == kNever ? wanted_ || sync_ == Sync::Ended : quits_;
  };
  const auto at = now();
  // Before what was refused may be tried again there is nothing that could be done.
  const auto due = again_at_ != kNever
                       ? again_at_
                       : std::min({late_.due(), sync_due_, at + LateChanges::kLateness});
  wake_.wait_for(lock, std::chrono::nanoseconds(std::max<std::int64_t>(0, (due - at).ns)), wanted);
  if (again_at_ == kNever && !wanted() && !has_ready() && is_clean(at)) {
    sleeps_ = true;
    // What is moved in a quiet time no group waits for; and while the WAL is full none comes.
    const bool moves = connection_.wal_is_due() || !connection_.says_life();
    if ((spare_ || moves) && sync_ == Sync::None) {
      const auto pause = moves ? kTidyAfter : tidy_pause_;
      tidies_ = !wake_.wait_for(lock, std::chrono::nanoseconds(pause.ns), wanted);
    } else {
      wake_.wait(lock, wanted);
    }
    sleeps_ = false;
  }
  wanted_ = ending_ = quits_;
  if (quits_) wake_.wait(lock, [this] { return sync_ != Sync::Runs; });
  if (broken_) return !quits_;
  return !quits_ || again_at_ != kNever || sync_ != Sync::None || !queue_.empty() ||
         late_.due() != kNever || sync_due_ != kNever;
}

bool StoreThread::turn() {
  if (broken_) {
    const std::lock_guard lock(mutex_);
    left_ += queue_.size();
    queue_.clear();
    return true;
  }
  if (!std::exchange(tidies_, false)) return write_group();
  spare_ = connection_.give_back_pages();
  tidy_pause_ = kTidyPause;
  if (connection_.wal_is_due() || !connection_.says_life()) move_wal();
  return true;
}

// What is over its bounds goes some at a time, so there may be more.
bool StoreThread::is_clean(Instant at) const {
  return late_.due() == kNever && sync_due_ == kNever && !connection_.trim_due(at);
}

// What joins a group that was undone is all of it, whatever its size: who was told that his task is
// refused must not find it accepted by a daemon that died between two transactions.
bool StoreThread::take_batches() {
  const bool joins = std::exchange(joins_, false);
  const auto first = static_cast<std::ptrdiff_t>(group_.batches.size());
  bool runs = false;
  {
    const std::lock_guard lock(mutex_);
    if (!writes_since_) writes_since_ = now();
    if (bounds_) connection_.set_bounds(*std::exchange(bounds_, std::nullopt));
    while (has_ready() &&
           (joins || group_goes_on() || (again_at_ == kNever && !group_.is_full()))) {
      if (way_ != Way::Straight) {
        --ready_;
        ready_changes_ -= queue_.front().changes.size();
      }
      group_.append(std::move(queue_.front()));
      queue_.pop_front();
      ++left_;
    }
    taken_ = left_;
    if (std::exchange(sync_wanted_, false)) sync_due_ = Instant{};
    wanted_ = quits_ || are_wanted();
    runs = sync_ == Sync::Runs;
    over_ = journal_over_;
  }
  std::for_each(group_.batches.begin() + first, group_.batches.end(),
                [this](ChangeBatch& batch) { late_.take(batch, now()); });
  return runs;
}

bool StoreThread::is_due(Instant at) const {
  return group_.changes != 0 || ending_ || late_.due() <= at || sync_due_ <= at ||
         again_at_ != kNever || connection_.trim_due(at);
}

// While a sync runs the next group is filled, and then waits for its end.
bool StoreThread::write_group() {
  bool open = false;
  while (take_batches()) {
    open = open || (group_.changes != 0 && connection_.begin(ending_).written.is_done());
    if (open) add_batches();
    Lock lock(mutex_);
    wake_.wait(lock, [this] { return sync_ != Sync::Runs || (has_ready() && !group_.is_full()); });
  }
  if (!take_sync(open)) return true;
  const auto at = now();
  if (!open && !is_due(at)) {
    keep_unwritten();
    return true;
  }
  if (!open && !begin()) return true;
  add_batches();
  return commit(at);
}

void StoreThread::add_batches() {
  for (; group_.added < group_.batches.size(); ++group_.added) {
    connection_.add(group_.batches[group_.added]);
  }
}

// Behind all that they belong to, and before what may overtake them where the group is written
// again with more.
void StoreThread::add_late(Instant at) {
  std::vector<change::Started> starts;
  std::vector<change::Received> receipts;
  ChangeBatch late;
  late.demand = late_.collect(ending_ ? kNever : at, starts, receipts);
  if (starts.empty() && receipts.empty()) return;
  std::ranges::move(starts, std::back_inserter(late.changes));
  std::ranges::move(receipts, std::back_inserter(late.changes));
  late.through = through();
  group_.append(std::move(late));
  add_batches();
}

RecordNumber StoreThread::through() const {
  return group_.through(group_.batches.size()).value_or(applied_);
}

// Of a group in which nothing has to be written yet.
void StoreThread::keep_unwritten() {
  const auto through = group_.through(group_.batches.size());
  group_.clear();
  {
    const std::lock_guard lock(mutex_);
    if (through) raise_written(*through);
    writes_since_.reset();
  }
  if (through) wake_main();
}

bool StoreThread::begin() {
  auto begun = connection_.begin(ending_);
  if (begun.kept) {
    keep_first(group_.tried);
    if (group_.changes == 0) {
      keep_unwritten();
      return false;
    }
    begun = connection_.begin(ending_);
  }
  if (begun.written.is_done()) return true;
  take_failure(begun.written);
  return false;
}

// What was tried and has failed is in the tables, and synced, all the same.
void StoreThread::keep_first(std::size_t count) {
  again_at_ = kNever;
  bodies_.remove(std::exchange(group_.gone, {}));
  told_undone_ = false;
  const auto through = group_.through(count).value_or(applied_);
  applied_ = through;
  journal_added_ = group_.journal(journal_added_, count);
  group_.drop_first(count);
  tell_written(through, true);
}

bool StoreThread::commit(Instant at) {
  spare_ = true;
  tidy_pause_ = kTidyAfter;
  add_late(at);
  const bool synced = group_.demand == Demand::Synced || sync_due_ <= at || ending_;
  const auto through = this->through();
  group_.tried = group_.batches.size();
  const auto journal = group_.journal(journal_added_, group_.batches.size());
  const GroupEnd end{through, at, setup_.time->wall(),
                     over_ == journal ? std::uint64_t{kJournalClosed} : journal};
  const auto written = connection_.commit(end, synced, ending_);
  if (!written.is_done()) {
    take_failure(written);
    return true;
  }
  applied_ = through;
  journal_added_ = journal;
  added_ = taken_;
  again_at_ = kNever;
  told_undone_ = false;
  std::ranges::copy(connection_.take_gone(), std::back_inserter(gone_));
  if (synced) {
    group_.gone = std::exchange(gone_, {});
    return sync(through);
  }
  if (group_.demand == Demand::Written || !gone_.empty()) {
    sync_due_ = std::min(sync_due_, at + kRelaxedWindow);
  }
  group_.clear();
  tell_written(through, false);
  if (wal_is_due()) move_wal();
  return true;
}

// Before the WAL is moved into the file the pen is kept, because that syncs too.
bool StoreThread::sync(RecordNumber through) {
  const bool keeps = ending_ || wal_is_due();
  const auto added = added_, journal = journal_added_;
  bool others = false;
  sync_due_ = kNever;
  {
    const std::lock_guard lock(mutex_);
    std::swap(group_, unsynced_);
    sync_ = Sync::Runs;
    syncs_since_ = std::exchange(writes_since_, std::nullopt);
    pen_taken_ = keeps;
    others = !keeps && wanted_;
  }
  if (others) pen_free_.notify_one();
  auto synced = connection_.sync();
  {
    const std::lock_guard lock(mutex_);
    if (synced) {
      raise_written(through);
      in_tables_ = tables_synced_ = added;
      journal_synced_ = journal;
      ++figures_.commits;
      ++figures_.syncs;
    }
    sync_ = Sync::Ended;
    synced_ = std::move(synced);
    syncs_since_.reset();
    others = !keeps && pen_taken_;
  }
  journal_wake_.notify_one();
  tables_moved_.notify_all();
  wake_main();
  if (others) wake_.notify_one();
  if (!keeps) return false;
  if (take_sync(false) && wal_is_due()) move_wal();
  return true;
}

// False: the sync of the group before has failed, and that group is to be written again, with this
// one, which was `open`.
bool StoreThread::take_sync(bool open) {
  Result<void> synced;
  {
    const std::lock_guard lock(mutex_);
    if (sync_ == Sync::None) return true;
    sync_ = Sync::None;
    synced = std::move(synced_);
  }
  const auto taken = connection_.take_sync(synced, ending_);
  if (taken.is_done()) {
    bodies_.remove(std::exchange(unsynced_.gone, {}));
    unsynced_.clear();
    tell(taken);
    return true;
  }
  if (open) connection_.roll_back();
  for (auto& batch : group_.batches) unsynced_.append(std::move(batch));
  std::ranges::move(group_.gone, std::back_inserter(unsynced_.gone));
  unsynced_.added = 0;
  group_.clear();
  std::swap(group_, unsynced_);
  take_failure(taken);
  return false;
}

// What was told as written is synced by itself: the group that would have brought its sync may be
// refused for as long as a disk is full.
void StoreThread::sync_written() {
  if (auto synced = connection_.sync(); !synced) {
    (void)connection_.take_sync(synced, ending_);
    return;
  }
  sync_due_ = kNever;
  {
    const std::lock_guard lock(mutex_);
    tables_synced_ = added_;
    journal_synced_ = journal_added_;
    ++figures_.syncs;
  }
  journal_wake_.notify_one();
}

void StoreThread::take_failure(const Written& written) {
  if (sync_due_ != kNever && connection_.can_sync()) sync_written();
  group_.added = 0;
  last_error_ = written.error;
  broken_ = written.kind == Written::Kind::Broken;
  again_at_ = broken_ ? kNever : now() + written.wait;
  if (broken_) group_.clear();
  tell(written);
}

// The main thread hears of it by the eventfd.
void StoreThread::tell(const Written& written) {
  bool news = false;
  {
    Lock lock(mutex_);
    news = judge_accepting(written.refuses);
    if (!accepting_) go_straight(lock);
    const bool sure = written_.load() >= unsure_.value;
    if (written.undone && sure && !std::exchange(told_undone_, true)) {
      undone_ = joins_ = news_.undone = news = true;
      news_.accepting = false;
    }
    figures_.disk = connection_.figures();
    if (written.kind == Written::Kind::Broken) {
      news_.broken = written.error;
      writes_since_.reset();
      news = true;
    }
  }
  if (news) wake_main();
}

void StoreThread::tell_written(RecordNumber through, bool synced) {
  {
    const std::lock_guard lock(mutex_);
    raise_written(through);
    in_tables_ = added_;
    if (synced) {
      tables_synced_ = added_;
      journal_synced_ = journal_added_;
    }
    writes_since_.reset();
    judge_accepting(false);
    figures_.disk = connection_.figures();
    ++figures_.commits;
    figures_.syncs += synced;
  }
  journal_wake_.notify_one();
  tables_moved_.notify_all();
  wake_main();
}

// Order: the lock is held.
bool StoreThread::judge_accepting(bool refuses) {
  const bool full = connection_.wal_is_full();
  const bool accepting = !refuses && !full;
  const bool changed = accepting != accepting_;
  if (changed) news_.accepting = accepting_ = accepting;
  figures_.trouble = connection_.trouble();
  if (figures_.trouble.empty() && full) {
    const std::string reads = " reads an old state of " + setup_.place.path +
                              ", so that its WAL cannot be moved into it; ";
    figures_.trouble = backup_runs_ ? "the backup that is being made" + reads +
                                          "it is given up, and may be made while less comes"
                                    : "another program" + reads + "end that program";
  }
  figures_.wal_bytes = connection_.wal_bytes();
  return changed;
}

// Under load what a reader kept there at the start is tried now and then, and not each time.
bool StoreThread::wal_is_due() const {
  return connection_.wal_is_due() || (!connection_.says_life() && now() >= moved_at_ + kMoveAgain);
}

void StoreThread::move_wal() {
  moved_at_ = now();
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
