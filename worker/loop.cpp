// For one task in hand: write, poll, read, and one clock reading; nothing else enters the kernel.
// With more in hand the answers go out in one write when the last is done, so that 16 no-op tasks
// cost the same three calls. A long handler among them does not hold its predecessors' answers
// back: the watcher writes them when it takes over.
//
// The end of one handler is the start of the next, so a task costs one reading of the clock.
#include "worker/loop.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace warmpool::worker {

Loop::Loop(Session& session, Baton& baton, CancelSignal& cancel, HeldReport& held,
           const Termination& termination, Duration spin)
    : session_(session),
      baton_(baton),
      cancel_(cancel),
      held_(held),
      termination_(termination),
      spin_(spin),
      now_(Clock::now()),
      unsent_since_(Clock::time_point::max()),
      beat_due_(now_ + session.heartbeat_interval()) {}

RunStatus Loop::run() {
  while (session_.open()) {
    const bool leaves = session_.registered() && termination_.requested();
    if (leaves) session_.leave();
    if (!session_.in_hand().empty()) {
      if (termination_.requested() && !leaves) {
        session_.refuse_waiting("the worker was told to end (SIGTERM)");
        continue;
      }
      run_one();
      send_when_due();
      continue;
    }
    if (session_.retiring() || (termination_.requested() && !leaves)) {
      session_.finish();
      return RunStatus::Retired;
    }
    session_.write();
    unsent_since_ = Clock::time_point::max();
    if (session_.open() && session_.in_hand().empty()) wait();
  }
  if (session_.end() == Session::End::Broken) return RunStatus::Protocol;
  return session_.retiring() || termination_.requested() ? RunStatus::Retired
                                                         : RunStatus::DaemonGone;
}

void Loop::run_one() {
  running_ = session_.in_hand().pop();
  session_.begin_run(*running_);
  started_ = now_;
  held_.begin();
  const std::uint64_t begun = running_->taken_at != 0 ? ipc::stamp_now() : 0;
  Context context(*running_, cancel_, *this, started_);
  baton_.lend(started_);
  Answer answer = call(*running_, context);
  baton_.reclaim();
  now_ = Clock::now();
  worked_ = true;
  session_.end_run(now_ - started_);
  if (const auto late = held_.rest()) {
    session_.progress(running_->key, *late);
  }
  cancel_.lower();
  session_.answer(running_->key, std::move(answer), now_ - started_);
  if (begun != 0) session_.stamp(running_->key, running_->taken_at, begun, ipc::stamp_of(now_));
  session_.in_hand().recycle(std::move(running_));
}

Answer Loop::call(const Attempt& attempt, Context& context) const {
  if (attempt.handler == nullptr) {
    return failed_for_good("this worker does not handle the type " + attempt.type +
                           "; correct `types` of its class, or its program");
  }
  try {
    return (*attempt.handler)(context);
  } catch (const std::exception& error) {
    return failed(error.what());
  } catch (...) {
    return failed("the handler threw something that is no std::exception");
  }
}

void Loop::send_when_due() {
  if (unsent_since_ == Clock::time_point::max()) unsent_since_ = now_;
  if (session_.in_hand().empty()) return;  // run() writes next
  if (now_ - unsent_since_ < kUnsentMax && session_.out_bytes() < kUnsentBytesMax) return;
  session_.exchange();
  session_.write_down();
  now_ = Clock::now();
  unsent_since_ = Clock::time_point::max();
}

void Loop::wait() {
  const auto interval = session_.heartbeat_interval();
  auto beat_in = std::chrono::nanoseconds(-1);
  if (interval.count() > 0) {
    beat_in = std::max<std::chrono::nanoseconds>(beat_due_ - now_, std::chrono::nanoseconds(0));
  }
  pollfd fds[] = {{session_.read_fd(), POLLIN, 0},
                  {session_.wants_write() ? session_.write_fd() : -1, POLLOUT, 0},
                  {session_.leaving() ? -1 : termination_.fd(), POLLIN, 0}};
  const bool retries = session_.retry_at() != ipc::kNoDeadline;
  const auto wake_at = std::min(session_.retry_at(), session_.arenas().due());
  if (wake_at != ipc::kNoDeadline) {
    const std::chrono::nanoseconds left = wake_at - now_;
    const auto in = std::max(left, std::chrono::nanoseconds(0));
    beat_in = beat_in.count() < 0 ? in : std::min(beat_in, in);
  }
  const int ready = poll(fds, beat_in);
  if (ready > 0 || retries) session_.exchange();
  now_ = Clock::now();
  session_.arenas().forget_idle(now_);
  if (interval.count() > 0 && now_ >= beat_due_) {
    session_.beat(now_);
    beat_due_ = now_ + interval;
  }
}

// Before it sleeps it looks for so long as it was told, where it has just answered a task.
int Loop::poll(std::span<pollfd> fds, std::chrono::nanoseconds at_most) {
  const bool without_end = at_most.count() < 0;
  const auto spin = std::exchange(worked_, false) ? spin_ : Duration{};
  const auto deadline = without_end ? Clock::time_point::max() : now_ + at_most;
  if (const int ready =
          awake_.look(spin, deadline, [&] { return ::poll(fds.data(), fds.size(), 0); });
      ready != 0) {
    return ready;
  }
  const timespec limit{.tv_sec = at_most.count() / 1'000'000'000,
                       .tv_nsec = at_most.count() % 1'000'000'000};
  return ::ppoll(fds.data(), fds.size(), without_end ? nullptr : &limit, nullptr);
}

void Loop::report(HeldReport::Report report) {
  const auto fate = held_.take(Clock::now(), report);
  if (fate == HeldReport::Fate::KeptFirst) baton_.nudge();
  if (fate != HeldReport::Fate::SayNow) return;
  baton_.reclaim();
  session_.progress(running_->key, report);
  session_.exchange();
  baton_.lend(started_);
}

bool Loop::save(std::string_view checkpoint, Content content) {
  baton_.reclaim();
  const bool kept = session_.checkpoint(running_->key, checkpoint, content);
  session_.exchange();
  baton_.lend(started_);
  return kept;
}

void Loop::say(const WorkerReport& report) {
  baton_.reclaim();
  session_.report(report);
  session_.exchange();
  baton_.lend(started_);
}

}  // namespace warmpool::worker
