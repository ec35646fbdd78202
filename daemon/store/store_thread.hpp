// The threads that write.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "daemon/clock.hpp"
#include "daemon/store/body_files.hpp"
#include "daemon/store/journal.hpp"
#include "daemon/store/late_changes.hpp"
#include "daemon/store/store_connection.hpp"
#include "daemon/store/store_group.hpp"
#include "ipc/fd.hpp"

namespace warmpool::daemon {

// Natural group commit: a transaction takes all that was given while the one before was synced, up
// to kChangesMax and kBytesMax. There is no timer that an acknowledgement could wait for.
//
// Reason for the threads ("warmpool-store", twice): a sync takes milliseconds, on a bad disk
// seconds, and neither the loop nor the next transaction may stop for it. They take turns: one has
// the pen, which is the connection and all that is the threads' own; it fills a transaction,
// waits until the sync before it has ended, commits, lays the pen down and syncs, and the other
// takes it up if there is something to write. So one sync runs at a time, never beside a commit,
// and while nothing comes meanwhile it is one thread that does all.
//
// Where the disk takes nothing, the group before was synced or is in the same transaction.
//
// With a journal (store_thread_journal.cpp) a third thread, "warmpool-ahead", keeps what was given
// there, tells of it, and leaves it to the two others, who write to the tables many groups at once,
// and sync them once a second. Reason for it: an acknowledgement does not wait for the work of a
// transaction. Where the tables or the journal take nothing everything goes the straight way.
//
// Threads: give(), set_bounds(), take_news(), go_on() and the destructor are the main thread's;
// written(), figures() and fd() are for any. What was given nobody else touches after that.
class StoreThread {
 public:
  static constexpr std::size_t kChangesMax = 8192;
  static constexpr std::size_t kBytesMax = 8U << 20;

  static Result<std::unique_ptr<StoreThread>> start(StoreThreadSetup setup);  // errors: ExitStatus
  ~StoreThread() { (void)finish(); }
  // Writes all that was given, and joins. Errors: what could not be written; Error::code is the
  // ExitStatus. Blocks: until that is done; where the disk refuses, for one more try.
  Result<void> finish();

  void give(ChangeBatch batch);
  void set_bounds(const DiskBounds& bounds);
  BodyFiles& bodies() { return bodies_; }
  void trim();  // wakes it if something is too old

  // Every record up to this one is kept as it asked.
  RecordNumber written() const { return {written_.load(std::memory_order_acquire)}; }
  int fd() const { return event_.get(); }  // an eventfd, written when written() moved or at news
  StoreNews take_news();
  void go_on();
  // Has the tables written soon. Returns what is_in_tables() asks for: all that is kept now.
  std::uint64_t hurry();
  // A backup of our own reads an old state.
  void set_backup(bool runs) { backup_runs_ = runs; }
  // Threads: any. Blocks: for some milliseconds where they do not have it yet.
  bool wait_in_tables(std::uint64_t batches) const;

  WriterFigures figures() const;

 private:
  explicit StoreThread(StoreThreadSetup setup);
  using Lock = std::unique_lock<std::mutex>;
  enum class Sync : std::uint8_t { None, Runs, Ended };

  void run(bool leads);
  // `leads`: it takes the pen even if there is nothing to write. False: the other has ended all.
  bool take_pen(bool leads);

  // All that follows has the pen.
  bool wait();          // false: it is to end, and nothing is left
  bool turn();          // returns whether it still has the pen
  bool take_batches();  // returns whether a sync runs
  bool is_due(Instant at) const;
  bool write_group();               // as turn()
  bool commit(Instant at);          // as turn()
  bool sync(RecordNumber through);  // as turn()
  bool take_sync(bool open);
  bool begin();  // returns whether a transaction is open
  void add_batches();
  void add_late(Instant at);
  RecordNumber through() const;  // of the group
  void keep_unwritten();
  void keep_first(std::size_t count);
  void take_failure(const Written& written);
  void sync_written();
  void tell(const Written& written);
  void tell_written(RecordNumber through, bool synced);
  bool judge_accepting(bool refuses);  // returns whether that has changed
  void end();
  void move_wal();
  bool wal_is_due() const;
  void wake_main();
  void want();
  bool is_clean(Instant at) const;
  Instant now() const;
  void raise_written(RecordNumber through);

  // Of the journal. Order: the lock is held.
  enum class Way : std::uint8_t {
    Straight,  // to the tables
    Ahead,     // to the journal, and then to the tables
    Back       // to the journal, as soon as the tables have all that went the straight way
  };
  bool has_ready() const { return way_ == Way::Straight ? !queue_.empty() : ready_ != 0; }
  bool has_fresh() const { return way_ != Way::Straight && ready_ < queue_.size(); }
  bool are_wanted() const;     // what is ready, at once
  bool group_goes_on() const;  // what is next is of the same group of the journal
  void pass(std::size_t batches, bool& wakes);
  void go_straight(Lock& lock);
  void come_back();
  // Of the journal's thread, or before it runs.
  Result<void> begin_journal();
  void try_journal();
  void run_journal();
  bool wait_for_tables(Lock& lock, const std::function<bool()>& done);
  bool is_back(Lock& lock);
  void keep_ahead(Lock& lock);
  void set_keeps(bool keeps);
  void encode_fresh(Lock& lock);
  void hand_on(bool told);
  KeptAhead write_ahead(const JournalGroup& group, bool synced);
  void take_ahead(const KeptAhead& kept);
  void leave_journal(const std::string& why, bool ends);
  void sync_journal(Lock& lock);

  StoreThreadSetup setup_;
  StoreConnection connection_;
  ipc::UniqueFd event_;
  BodyFiles bodies_;
  std::atomic<std::uint64_t> written_{0};
  std::atomic<bool> backup_runs_{false};
  Suspects suspects_;  // the main thread's

  mutable std::mutex mutex_;          // of what follows up to the empty line
  std::condition_variable wake_;      // of who has the pen
  std::condition_variable pen_free_;  // of who waits for it
  std::deque<ChangeBatch> queue_;
  std::optional<DiskBounds> bounds_;
  StoreNews news_;
  WriterFigures figures_;
  bool accepting_ = true, wanted_ = false, sleeps_ = false, quits_ = false;
  bool pen_taken_ = false, ended_ = false;
  bool undone_ = false;  // and nobody has said yet what is to become of it
  Sync sync_ = Sync::None;
  Result<void> synced_;  // what it came to
  // Since when a group is being written, or synced, or kept in the journal, or waits for the
  // tables.
  std::optional<Instant> writes_since_, syncs_since_, keeps_since_, waits_since_;
  Way way_ = Way::Straight;
  std::size_t ready_ = 0;            // batches at the front of the queue that the tables may have
  std::uint64_t ready_changes_ = 0;  // in them
  bool keeps_ = false;               // the journal's thread is at what follows them
  bool sync_wanted_ = false;         // of the tables
  bool journal_ends_ = false;
  RecordNumber unsure_;                              // of a group that the journal may have, or not
  Instant back_at_ = kNever;                         // when the journal may be tried again
  std::uint64_t left_ = 0;                           // batches that have left the queue, ever
  std::uint64_t in_tables_ = 0, tables_synced_ = 0;  // of them those that the tables have; synced
  std::uint64_t journal_synced_ = 0;  // the newest group of the journal that they have, synced
  std::optional<std::uint64_t> journal_over_;  // the last one of this life
  mutable std::condition_variable journal_wake_, kept_, tables_moved_;

  // Of who has the pen; unsynced_ stays as it is while a sync runs.
  StoreGroup group_, unsynced_;
  LateChanges late_;
  Instant moved_at_;            // when the WAL was moved, or tried to be
  std::vector<BodyFile> gone_;  // that no row names, once this is synced
  Instant sync_due_ = kNever;   // of what was only written
  Instant again_at_ = kNever;   // when the group is tried again
  bool told_undone_ = false;    // once for each group
  bool joins_ = false;          // all that was given meanwhile belongs to it
  bool broken_ = false, ending_ = false;
  Error last_error_;     // of a group that was not written
  Result<void> closed_;  // what the end of the connection came to
  // Whether the file may have pages to give back, when it is looked at, and that it is now.
  bool spare_ = true, tidies_ = false;
  Duration tidy_pause_;

  std::uint64_t taken_ = 0, added_ = 0;  // as in_tables_, of what is not told yet
  std::uint64_t journal_added_ = 0;      // the newest group of the journal in the tables
  std::optional<std::uint64_t> over_;    // journal_over_
  RecordNumber applied_;                 // the newest record there

  AheadHand hand_;  // of the journal's thread
  std::array<std::thread, 2> threads_;
  std::thread journal_thread_;
};

}  // namespace warmpool::daemon
