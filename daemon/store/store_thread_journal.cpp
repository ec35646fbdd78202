// What is given is kept in the journal first.
//
// The queue has in front what the tables may have, and behind that what is fresh, which is the
// journal thread's. Who is refused by the disk must not find it accepted later: so before anything
// is told as undone nothing is on its way to the journal any more, and what a failed write or sync
// may have left there is not undone.
#include <algorithm>
#include <chrono>

#include <sqlite3.h>

#include "daemon/store/change_codec.hpp"
#include "daemon/store/store_thread.hpp"

namespace warmpool::daemon {
namespace {

// So many changes are written to the tables at once, unless they have waited for kLateness.
constexpr std::uint64_t kAtOnce = 2048;
constexpr std::size_t kGroupBytes = 1U << 20, kBatchesAtOnce = 512;
// How long the journal is left alone where it could not be written.
constexpr Duration kJournalPause = seconds(10);
constexpr auto kAskAgain = std::chrono::milliseconds(20);

}  // namespace

Result<void> StoreThread::begin_journal() {
  const auto& place = setup_.place;
  auto begun = Journal::begin(
      {journal_path(place.path), place.vfs, place.journal_bytes, place.journal_step, setup_.life});
  if (!begun) return begun.error();
  hand_.journal = std::move(*begun);
  return {};
}

void StoreThread::try_journal() {
  const auto begun = begin_journal();
  if (begun) {
    way_ = Way::Ahead;
    return;
  }
  news_.slower = figures_.journal_trouble = begun.error().text;
  back_at_ = now() + kJournalPause;
}

// Order: the lock is held.
void StoreThread::raise_written(RecordNumber through) {
  if (through.value > written_.load()) written_.store(through.value, std::memory_order_release);
}

bool StoreThread::are_wanted() const {
  if (sync_wanted_) return true;
  return way_ == Way::Ahead ? ready_changes_ >= kAtOnce : has_ready();
}

// The tables say by its number that they have all of it, so it is never parted.
bool StoreThread::group_goes_on() const {
  return !group_.batches.empty() && queue_.front().journal != 0 &&
         queue_.front().journal == group_.batches.back().journal;
}

// `wakes`: becomes true where a thread sleeps that is to look at it.
void StoreThread::pass(std::size_t batches, bool& wakes) {
  bool urgent = false;
  for (const auto end = ready_ + batches; ready_ < end; ++ready_) {
    ready_changes_ += queue_[ready_].changes.size();
    urgent = urgent || queue_[ready_].starts_need == Demand::Synced;
  }
  if (!are_wanted() && !sleeps_ && !urgent) return;
  wanted_ = wakes = true;
}

void StoreThread::go_straight(Lock& lock) {
  kept_.wait(lock, [this] { return !keeps_; });
  if (way_ == Way::Straight) return;
  way_ = Way::Straight;
  ready_ = ready_changes_ = 0;
  back_at_ = Instant{};
}

void StoreThread::come_back() {
  back_at_ = kNever;
  way_ = Way::Back;
  bool wakes = false;
  pass(queue_.size(), wakes);
}

std::uint64_t StoreThread::hurry() {
  std::uint64_t all = 0;
  {
    const std::lock_guard lock(mutex_);
    sync_wanted_ = true;
    all = left_ + (way_ == Way::Straight ? queue_.size() : ready_);
  }
  want();
  return all;
}

bool StoreThread::wait_in_tables(std::uint64_t batches) const {
  Lock lock(mutex_);
  return tables_moved_.wait_for(lock, kAskAgain, [&] { return in_tables_ >= batches; });
}

void StoreThread::run_journal() {
  Lock lock(mutex_);
  while (true) {
    const auto wanted = [this] { return journal_ends_ || has_fresh(); };
    if (!hand_.dirty_since) {
      journal_wake_.wait(lock, wanted);
    } else {
      const auto left = *hand_.dirty_since + kRelaxedWindow - now();
      const std::chrono::nanoseconds wait(std::max<std::int64_t>(left.ns, 0));
      journal_wake_.wait_for(lock, wait, wanted);
    }
    if (journal_ends_) break;
    if (hand_.dirty_since && now() >= *hand_.dirty_since + kRelaxedWindow) sync_journal(lock);
    if (has_fresh()) keep_ahead(lock);
  }
  go_straight(lock);
  back_at_ = kNever;
}

// False: something else has come, and everything is to be looked at anew.
bool StoreThread::wait_for_tables(Lock& lock, const std::function<bool()>& done) {
  const auto way = way_;
  bool goes_on = true;
  for (; goes_on && !done(); goes_on = !journal_ends_ && way_ == way) {
    if (!waits_since_) waits_since_ = now();
    sync_wanted_ = wanted_ = true;
    (pen_taken_ ? wake_ : pen_free_).notify_one();
    journal_wake_.wait_for(lock, kAskAgain);
  }
  waits_since_.reset();
  return goes_on;
}

// Whether the journal may be written from here on.
bool StoreThread::is_back(Lock& lock) {
  if (!wait_for_tables(lock, [this] { return tables_synced_ >= left_ + ready_; })) return false;
  if (!hand_.journal) {
    set_keeps(true);
    lock.unlock();
    const auto begun = begin_journal();
    lock.lock();
    if (!begun) {
      leave_journal(begun.error().text, false);
      return false;
    }
    set_keeps(false);
  }
  way_ = Way::Ahead;
  return true;
}

void StoreThread::keep_ahead(Lock& lock) {
  if (way_ == Way::Back && !is_back(lock)) return;
  encode_fresh(lock);
  if (hand_.changes == 0) return hand_on(true);
  if (!hand_.journal->is_ever_room(hand_.encoded.size())) {
    way_ = Way::Back;
    return hand_on(false);
  }
  if (!hand_.journal->is_room(hand_.encoded.size())) {
    // The window of what was told as written must not become longer by the wait.
    if (hand_.dirty_since) sync_journal(lock);
    if (way_ != Way::Ahead) return;
    set_keeps(false);
    const auto free = [this] { return journal_synced_ >= hand_.journal->last_of_next(); };
    if (!wait_for_tables(lock, free)) return;
    set_keeps(true);
  }
  const bool synced = std::ranges::any_of(
      hand_.fresh, [](const ChangeBatch* batch) { return batch->demand == Demand::Synced; });
  const JournalGroup group{++hand_.sequence, hand_.fresh.back()->through, now(),
                           setup_.time->wall()};
  lock.unlock();
  const auto kept = write_ahead(group, synced);
  lock.lock();
  take_ahead(kept);
  if (kept.done) {
    ++figures_.commits;
    figures_.syncs += synced;
  }
}

void StoreThread::set_keeps(bool keeps) {
  keeps_ = keeps;
  keeps_since_ = keeps ? std::optional(now()) : std::nullopt;
  if (!keeps) kept_.notify_all();
}

// What is fresh stays where it is in the queue meanwhile.
void StoreThread::encode_fresh(Lock& lock) {
  set_keeps(true);
  hand_.fresh.clear();
  for (auto at = ready_; at < queue_.size() && hand_.fresh.size() < kBatchesAtOnce; ++at) {
    hand_.fresh.push_back(&queue_[at]);
  }
  lock.unlock();
  if (hand_.encoded.capacity() > 4 * kGroupBytes) hand_.encoded = {};
  hand_.encoded.clear();
  hand_.changes = 0;
  std::size_t count = 0;
  const auto most = std::min<std::uint64_t>(kGroupBytes, hand_.journal->group_bytes());
  for (; count < hand_.fresh.size() && hand_.encoded.size() < most; ++count) {
    const auto before = hand_.encoded.size();
    for (const auto& change : hand_.fresh[count]->changes) encode_change(change, hand_.encoded);
    if (count != 0 && !hand_.journal->is_ever_room(hand_.encoded.size())) {
      hand_.encoded.resize(before);
      break;
    }
    hand_.changes += static_cast<std::uint32_t>(hand_.fresh[count]->changes.size());
  }
  hand_.fresh.resize(count);
  lock.lock();
}

// The tables may have it. `told`: it is kept.
void StoreThread::hand_on(bool told) {
  bool wakes = false;
  if (told) raise_written(hand_.fresh.back()->through);
  pass(hand_.fresh.size(), wakes);
  set_keeps(false);
  if (told) wake_main();
  if (wakes) (pen_taken_ ? wake_ : pen_free_).notify_one();
}

// What a half has and is not synced would be missing before what the other one has.
KeptAhead StoreThread::write_ahead(const JournalGroup& group, bool synced) {
  if (auto there = hand_.journal->still_there(); !there) {
    return {there, false, there.error().code != SQLITE_CANTOPEN};
  }
  if (!hand_.journal->is_room(hand_.encoded.size())) {
    auto done = hand_.dirty_since ? hand_.journal->sync() : Result<void>();
    if (!done) return {done.error(), false, true};
    hand_.dirty_since.reset();
    hand_.journal->turn_over();
  }
  if (auto done = hand_.journal->write(group, hand_.changes, hand_.encoded); !done) {
    const auto forgotten = hand_.journal->forget();
    return {done, forgotten != Journal::Forgotten::Surely,
            forgotten == Journal::Forgotten::NotSynced};
  }
  if (!hand_.dirty_since) hand_.dirty_since = now();
  if (!synced) return {};
  if (auto done = hand_.journal->sync(); !done) return {done, true, true};
  hand_.dirty_since.reset();
  return {};
}

void StoreThread::take_ahead(const KeptAhead& kept) {
  if (kept.done || kept.unsure) {
    for (auto* batch : hand_.fresh) batch->journal = hand_.sequence;
  } else {
    --hand_.sequence;
  }
  if (kept.done) {
    for (auto* batch : hand_.fresh) batch->demand = Demand::Written;
    if (!std::exchange(figures_.journal_trouble, {}).empty()) news_.slower = "";
    return hand_on(true);
  }
  if (kept.unsure) unsure_ = hand_.fresh.back()->through;
  leave_journal(kept.done.error().text, kept.ends);
}

// Everything goes the straight way from here. `ends`: for the rest of this life.
void StoreThread::leave_journal(const std::string& why, bool ends) {
  if (figures_.journal_trouble.empty() || ends) news_.slower = why;
  figures_.journal_trouble = why;
  way_ = Way::Straight;
  ready_ = ready_changes_ = 0;
  back_at_ = ends ? kNever : now() + kJournalPause;
  wanted_ = true;
  if (ends) {
    // The tables are to have all of it, and to say so, because the file may be gone.
    journal_over_ = hand_.sequence;
    sync_wanted_ = true;
  }
  set_keeps(false);
  wake_main();
  (pen_taken_ ? wake_ : pen_free_).notify_one();
}

// Of what was told as written: the window that a power cut may lose ends here.
void StoreThread::sync_journal(Lock& lock) {
  set_keeps(true);
  lock.unlock();
  const auto done = hand_.journal->sync();
  lock.lock();
  hand_.dirty_since.reset();
  if (!done) return leave_journal(done.error().text, true);
  set_keeps(false);
  ++figures_.syncs;
}

}  // namespace warmpool::daemon
