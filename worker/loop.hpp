// The work loop: takes what is in hand, runs it, answers.
#pragma once

#include <memory>
#include <poll.h>
#include <span>

#include "ipc/spin.hpp"
#include "worker/baton.hpp"
#include "worker/held_report.hpp"
#include "worker/session.hpp"
#include "worker/termination.hpp"

namespace warmpool::worker {

// Threads: the main thread of a worker.
class Loop final : private ProgressSink {
 public:
  Loop(Session& session, Baton& baton, CancelSignal& cancel, HeldReport& held,
       const Termination& termination, Duration spin = {});

  // Order: after Session::greet. Blocks: until the worker is to end.
  RunStatus run();

  // Answers may wait for the next ones so long, and be so many.
  static constexpr std::chrono::milliseconds kUnsentMax{1};
  static constexpr std::size_t kUnsentBytesMax = 64 * 1024;

 private:
  using Clock = Session::Clock;

  void run_one();
  Answer call(const Attempt& attempt, Context& context) const;
  void send_when_due();
  void wait();
  int poll(std::span<pollfd> fds, std::chrono::nanoseconds at_most);  // negative: without end
  void report(HeldReport::Report report) override;
  bool passes_partials() const override { return session_.passes_partials(); }
  void say(const WorkerReport& report) override;
  bool save(std::string_view checkpoint, Content content) override;
  std::uint64_t result_bytes_max() const override { return session_.result_bytes_max(); }

  Session& session_;
  Baton& baton_;
  CancelSignal& cancel_;
  HeldReport& held_;
  const Termination& termination_;
  const Duration spin_;
  ipc::Spin awake_;
  bool worked_ = false;             // since the last wait: another task may follow at once
  Clock::time_point now_;           // as of the end of the last handler or wait
  Clock::time_point unsent_since_;  // of the oldest unsent answer; max(): none
  Clock::time_point beat_due_;
  AttemptQueue::Owned running_;
  Clock::time_point started_;
};

}  // namespace warmpool::worker
