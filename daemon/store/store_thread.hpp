// The thread that writes.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "daemon/clock.hpp"
#include "daemon/store/body_files.hpp"
#include "daemon/store/late_changes.hpp"
#include "daemon/store/store_connection.hpp"
#include "ipc/fd.hpp"

namespace warmpool::daemon {

struct StoreThreadSetup {
  SchemaPlace place;
  Database database;
  std::uint64_t life = 1;
  // Its Instant and what the steady clock showed then.
  Instant begin;
  std::int64_t begin_steady_ns = 0;
  TimeSource* time = nullptr;  // called on both threads
  DiskBounds bounds;
};

// Natural group commit: a transaction takes all that was given while the last one was written, up
// to kChangesMax and kBytesMax. There is no timer that an acknowledgement could wait for.
//
// Reason for the thread: a sync takes milliseconds, on a bad disk seconds, and the loop must not
// stop for it. Threads: give(), set_bounds(), take_broken() and the destructor are the main
// thread's; written(), figures() and fd() are for any. Its own thread ("warmpool-store") touches
// the connection, the writer, and what was given, which nobody else touches after that.
class StoreThread {
 public:
  static constexpr std::size_t kChangesMax = 8192;
  static constexpr std::size_t kBytesMax = 8U << 20;

  // Errors: Error::code is the ExitStatus.
  static Result<std::unique_ptr<StoreThread>> start(StoreThreadSetup setup);
  ~StoreThread() { (void)finish(); }
  // Writes all that was given, and joins. Errors: what could not be written; Error::code is the
  // ExitStatus. Blocks: until that is done; where the disk refuses, for one more try.
  Result<void> finish();

  void give(ChangeBatch batch);
  void set_bounds(const DiskBounds& bounds);
  BodyFiles& bodies() { return bodies_; }
  // Wakes it if something is too old.
  void trim();

  // Every record up to this one is kept as it asked.
  RecordNumber written() const { return {written_.load(std::memory_order_acquire)}; }
  // An eventfd that is written when written() has moved or there are news.
  int fd() const { return event_.get(); }
  struct News {
    std::optional<bool> accepting;  // since it changed
    std::optional<Error> broken;    // once: nothing more is written; Error::code is the ExitStatus
  };
  News take_news();

  struct Figures {
    DiskFigures disk;
    std::uint64_t commits = 0, syncs = 0, wal_bytes = 0;
    std::string trouble;  // why nothing is written; empty: it is
    Duration stalled;     // for how long the group that is being written has been
  };
  Figures figures() const;

 private:
  explicit StoreThread(StoreThreadSetup setup);
  void run();
  bool wait();  // false: it is to end, and nothing is left
  void take_batches();
  void write_group();
  bool is_due(Instant at) const;
  void take_outcome(const Written& written, const Group& group, Demand demand);
  void tell(const Written& written, bool synced);
  void judge_accepting(bool refuses);
  void move_wal();
  void wake_main();
  void want();
  bool is_clean() const { return late_.due() == kNever && sync_due_ == kNever; }
  Instant now() const;

  StoreThreadSetup setup_;
  StoreConnection connection_;
  ipc::UniqueFd event_;
  BodyFiles bodies_;
  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::int64_t> began_ns_{0};  // of the group that is being written; 0: none

  mutable std::mutex mutex_;  // of what follows up to the empty line
  std::condition_variable wake_;
  std::deque<ChangeBatch> queue_;
  std::optional<DiskBounds> bounds_;
  News news_;
  Figures figures_;
  bool accepting_ = true, wanted_ = false, sleeps_ = false, quits_ = false;

  // The thread's own.
  std::vector<ChangeBatch> batches_;  // of this group, until it is written
  std::vector<change::Started> starts_;
  std::vector<change::Received> receipts_;
  LateChanges late_;
  std::vector<BodyFile> gone_;  // that no row names, once this is synced
  Instant sync_due_ = kNever;   // of what was only written
  Instant again_at_ = kNever;   // when the group is tried again
  bool broken_ = false, ending_ = false;
  Error last_error_;     // of a group that was not written
  Result<void> closed_;  // what the end of the connection came to
  // Whether the file may have pages to give back, when it is looked at, and that it is now.
  bool spare_ = true, tidies_ = false;
  Duration tidy_pause_;

  std::thread thread_;
};

}  // namespace warmpool::daemon
