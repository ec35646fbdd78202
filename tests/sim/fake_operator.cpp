// The person who scales, pauses, drains, reloads and stops.
#include <algorithm>

#include "tests/sim/fake_clients.hpp"

namespace warmpool::sim {

Event FakeClients::scale() {
  const auto number = static_cast<std::uint16_t>(random_.below(scenario_.classes.size()));
  const ClassOptions& options = scenario_.classes[number].options;
  const auto mode = static_cast<event::ScaleMode>(random_.below(3));
  const std::uint64_t target = mode == event::ScaleMode::To
                                   ? random_.between(options.size_min, options.size_max)
                                   : random_.between(1, 3);
  return event::Scale{admin(), next_request(), ClassId{number}, mode,
                      static_cast<std::uint16_t>(target)};
}

Event FakeClients::reload() {
  options_.recall_after = random_.between(milliseconds(1), milliseconds(20));
  options_.prefetch_budget = random_.between(milliseconds(1), milliseconds(20));
  options_.overtake_max = random_.between(microseconds(50), milliseconds(4));
  options_.recall_idle_after = random_.between(microseconds(100), milliseconds(5));
  options_.reopen_age_max = random_.between(milliseconds(0), milliseconds(500));
  options_.backoff_max = random_.between(options_.backoff_first, options_.backoff_first * 8);
  return event::OptionsChanged{options_};
}

// What of a class may change while it works.
Event FakeClients::reload_class() {
  event::ClassDeclared declared = random_.pick(scenario_.classes);
  ClassOptions& options = declared.options;
  options.credits = std::max(options.concurrency, random_.between(1, 16));
  options.strategy = random_.chance(500) ? "round-robin" : "least-loaded";
  options.critical = random_.chance(200);
  options.beatless = random_.chance(100);
  return declared;
}

std::optional<Event> FakeClients::operate(Instant now) {
  if (luck_.calm()) return std::nullopt;
  agenda_.plan(now + random_.between(milliseconds(5), milliseconds(600)), What::OperatorActs);
  luck_.count(Fault::Operator);
  const auto type = static_cast<std::size_t>(random_.below(paused_.size()));
  switch (random_.below(10)) {
    case 0:
    case 1:
    case 2:
      paused_[type] = !paused_[type];
      return event::PauseType{admin(), next_request(), TypeId{static_cast<std::uint32_t>(type)},
                              paused_[type]};
    case 3:
      drained_ = !drained_ && random_.chance(300);
      return event::Drain{admin(), next_request(), drained_};
    case 4:
      return random_.chance(500) ? reload() : reload_class();
    case 5:
      return event::Listen{random_.chance(500)};
    default:
      return scale();
  }
}

void FakeClients::undo_all(std::vector<Event>& out) {
  for (std::uint32_t type = 0; type < paused_.size(); ++type) {
    out.push_back(event::PauseType{admin(), next_request(), TypeId{type}, false});
  }
  out.push_back(event::Drain{admin(), next_request(), false});
  for (const auto& declared : scenario_.classes) {
    out.push_back(event::Scale{admin(), next_request(), declared.worker_class, event::ScaleMode::To,
                               static_cast<std::uint16_t>(declared.options.size)});
  }
}

Event FakeClients::release(TaskId task) {
  std::erase(held_, task);
  return event::Release{admin(), next_request(), task};
}

Event FakeClients::stop(bool now) { return event::Stop{admin(), next_request(), now}; }

}  // namespace warmpool::sim
