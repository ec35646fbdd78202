// What a handler may know of its run, and do in it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ipc/bytes.hpp"
#include "ipc/message.hpp"
#include "pool/ids.hpp"
#include "pool/result.hpp"
#include "pool/words.hpp"
#include "worker/held_report.hpp"

namespace warmpool::worker {

struct Attempt;
class CancelSignal;

// What a handler says of its worker. `well`: it is degraded no more.
struct WorkerReport {
  std::string_view gauge{};
  std::optional<std::int64_t> value{};
  std::string_view reason{};
  bool degraded = false, well = false;
};

// Takes what a handler reports while it runs.
class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  virtual void report(HeldReport::Report report) = 0;
  // Whether partial results are passed on.
  virtual bool passes_partials() const = 0;
  virtual void say(const WorkerReport& report) = 0;
  // False: this daemon keeps none.
  virtual bool save(std::string_view checkpoint, Content content) = 0;
  virtual std::uint64_t result_bytes_max() const = 0;
};

// Owns: nothing; valid while its handler runs.
// Threads: progress(), partial(), checkpoint(), gauge(), degraded() and well() on the handler's own
// thread; all else on any.
class Context {
 public:
  using Clock = std::chrono::steady_clock;

  Context(const Attempt& attempt, const CancelSignal& cancel, ProgressSink& sink,
          Clock::time_point started);

  // Names this run: the same for no other run of any task. `token` is a fencing token: what lies
  // beyond warmpool can refuse a run whose token is not the one it saw last for (task, round).
  const AttemptKey& key() const;
  TaskId task() const;
  std::uint16_t round() const;
  std::uint16_t attempt() const;
  std::uint64_t token() const;

  std::string_view type() const;
  ipc::Bytes payload() const;
  std::string_view text() const;  // the payload's bytes as text; nothing was checked
  Content content() const;
  // Of a payload that came by descriptor, while the handler runs; else -1.
  int payload_fd() const;

  // Earlier attempts in this round that were charged.
  std::uint16_t failures() const;
  std::uint16_t crashes() const;

  // Made for this run alone, and removed after it; empty where its class has no directory =
  // "fresh".
  std::string_view directory() const;
  // That one, else where this worker is: with directory = "kept" the directory of its place.
  std::string workdir() const;

  // Of this run; zero: none. Whoever goes on beyond it is cancelled, then killed.
  std::chrono::nanoseconds timeout() const;
  // The end of the timeout or the deadline of the whole task, whichever is first; max(): none.
  Clock::time_point deadline() const;
  std::uint64_t result_bytes_max() const { return sink_.result_bytes_max(); }

  // True from when the daemon wants this run to end: a cancel, its time, the end of the worker.
  // Costs one load. A handler that heeds it says failed("cancelled"), or done if it is.
  bool cancelled() const;
  // Readable from then on; for a handler that polls. Never read from it.
  int cancel_fd() const;
  // Blocks: for `duration`, less if cancelled. True when it was cancelled.
  bool wait_for(std::chrono::nanoseconds duration) const;

  // Bounds: permille 0 to 1000 and 1,024 bytes of text, cut beyond. One is sent each 100 ms at
  // most, but for 1000, which is sent at once; the latest of those between then, also if the
  // handler says nothing more, and before its answer.
  void progress(unsigned permille, std::string_view text = {});
  // Likewise, with what there is of the result so far, for who waits for it: each stands for the
  // whole, so that a later one replaces those before. The daemon keeps none.
  // Bounds: 1 to ipc::kPartialBytesMax bytes. Errors: it is not, or this daemon passes none on (the
  // progress is said all the same).
  Result<void> partial(unsigned permille, std::string_view bytes, Content content = Content::Bytes,
                       std::string_view text = {});

  // What the next attempt could go on from, if this one does not finish: the last one counts, and
  // is gone when the task has settled. Without bytes there is none any more.
  // Bounds: ipc::kCheckpointBytesMax. Errors: it is larger, or this daemon keeps none.
  // Blocks: while the daemon does not read.
  Result<void> checkpoint(std::string_view bytes, Content content = Content::Bytes);
  // What an earlier attempt of this task left; empty: nothing.
  std::string_view checkpointed() const;
  Content checkpointed_content() const;
  // The daemon asks for one, because a while has passed or this worker is to end: true until the
  // next checkpoint(). Costs one load.
  bool checkpoint_wanted() const;

  // A figure of this worker, for people: stays until it is set again or taken away (no value).
  // Bounds: 16 gauges of a worker; a name is 1 to 32 of a-z A-Z 0-9 _ . - (others are left out).
  void gauge(std::string_view name, std::optional<std::int64_t> value);
  // This worker does less than it should, and why (255 bytes, cut beyond): it is given tasks when
  // no healthy one is free, until it says well(), also by a later run.
  void degraded(std::string_view reason);
  void well();

 private:
  const Attempt& attempt_;
  const CancelSignal& cancel_;
  ProgressSink& sink_;
  Clock::time_point started_;
};

}  // namespace warmpool::worker
