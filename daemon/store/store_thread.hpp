// The thread that writes.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "daemon/clock.hpp"
#include "daemon/store/late_changes.hpp"
#include "daemon/store/store_writer.hpp"
#include "ipc/fd.hpp"

namespace warmpool::daemon {

struct StoreThreadSetup {
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

  // Errors: as StoreWriter::prepare().
  static Result<std::unique_ptr<StoreThread>> start(StoreThreadSetup setup);
  // Writes all that was given, and joins. Blocks: until that is done.
  ~StoreThread();

  void give(ChangeBatch batch);
  void set_bounds(const DiskBounds& bounds);
  // Wakes it if something is too old.
  void trim();

  // Every record up to this one is kept as it asked.
  RecordNumber written() const { return {written_.load(std::memory_order_acquire)}; }
  // An eventfd that is written when written() has moved or something broke.
  int fd() const { return event_.get(); }
  // Once: why it cannot go on. Nothing more is written then.
  std::optional<Error> take_broken();

  struct Figures {
    DiskFigures disk;
    std::uint64_t commits = 0, syncs = 0;
  };
  Figures figures() const;

 private:
  explicit StoreThread(StoreThreadSetup setup);
  void run();
  bool wait();  // false: it is to end, and nothing is left
  void take_batches();
  void write_group();
  void publish(RecordNumber through);
  void want();
  bool is_clean() const { return late_.due() == kNever && sync_due_ == kNever; }
  Instant now() const;

  StoreThreadSetup setup_;
  StoreWriter writer_;
  ipc::UniqueFd event_;
  std::atomic<std::uint64_t> written_{0};

  mutable std::mutex mutex_;  // of what follows up to the empty line
  std::condition_variable wake_;
  std::deque<ChangeBatch> queue_;
  std::optional<DiskBounds> bounds_;
  std::optional<Error> broken_;
  Figures figures_;
  bool wanted_ = false, sleeps_ = false, quits_ = false;

  // The thread's own.
  std::vector<ChangeBatch> batches_;
  std::vector<change::Started> starts_;
  std::vector<change::Received> receipts_;
  LateChanges late_;
  Instant sync_due_ = kNever;  // of what was only written
  bool stuck_ = false, ending_ = false;

  std::thread thread_;
};

}  // namespace warmpool::daemon
