// The thread that writes recordings to their files, so that a slow disk never stops the loop.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <variant>

#include "ipc/endpoint.hpp"

namespace warmpool::daemon {

// Keeps the `files_max` newest segments of a directory, those of earlier lives among them; their
// files have mode 0600. Nothing is synced: what was written outlives the process, not a power cut.
//
// Reason for the thread: a write waits for a disk that is busy or stalled. Threads: all functions
// are the main thread's. Its own thread ("wp-record") touches the directory, the file, and what was
// given, which nobody else touches after that.
class RecordFiles {
 public:
  RecordFiles(ipc::RuntimeDirectory directory, std::size_t files_max);
  // Writes what was given, and joins. Blocks: until the disk has taken it or refused it.
  ~RecordFiles();

  // The number of the next new segment.
  std::uint64_t next_number() const { return next_number_; }
  // What is written from here on goes to a new file of that number; the oldest beyond the bound
  // goes. Returns the number.
  std::uint64_t begin();
  void write(std::string bytes);

  // Given and not yet written.
  std::size_t waiting_bytes() const { return waiting_bytes_.load(std::memory_order_relaxed); }
  // Blocks: until less than `bytes` wait, or writing has failed.
  void wait_below(std::size_t bytes);

  // From then on nothing is written any more.
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  // Order: after failed().
  std::string trouble() const;
  const std::string& path() const { return directory_.path(); }

 private:
  using Piece = std::variant<std::uint64_t, std::string>;  // a new file of that number; bytes
  void give(Piece piece, std::size_t bytes);
  void run();
  void take(const Piece& piece);
  bool open(std::uint64_t number);
  void remove_oldest();
  void fail(const std::string& what);

  ipc::RuntimeDirectory directory_;
  std::size_t files_max_;
  std::uint64_t next_number_ = 1;
  std::atomic<std::size_t> waiting_bytes_{0};
  std::atomic<bool> failed_{false};

  mutable std::mutex mutex_;  // of what follows up to the empty line
  std::condition_variable wake_, written_;
  std::deque<Piece> queue_;
  std::string trouble_;
  bool quits_ = false;

  // The thread's own.
  ipc::UniqueFd file_;
  std::deque<std::uint64_t> kept_;  // numbers of the files there are, oldest first

  std::thread thread_;
};

// The numbers of the segments in a directory, in order. Errors: errno.
Result<std::deque<std::uint64_t>> list_segments(const std::string& directory);

}  // namespace warmpool::daemon
