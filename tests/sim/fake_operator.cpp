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

Event FakeClients::restart() {
  event::Restart restart{admin(), next_request()};
  if (random_.chance(500)) {
    restart.home = SlotId{static_cast<std::uint16_t>(random_.below(6))};
  } else if (random_.chance(700)) {
    restart.worker_class =
        ClassId{static_cast<std::uint16_t>(random_.below(scenario_.classes.size()))};
  }
  return restart;
}

Event FakeClients::reload() {
  options_.recall_after = random_.between(milliseconds(1), milliseconds(20));
  options_.prefetch_budget = random_.between(milliseconds(1), milliseconds(20));
  options_.overtake_max = random_.between(microseconds(50), milliseconds(4));
  options_.recall_idle_after = random_.between(microseconds(100), milliseconds(5));
  options_.reopen_age_max = random_.between(milliseconds(0), milliseconds(500));
  options_.backoff_max = random_.between(options_.backoff_first, options_.backoff_first * 8);
  if (scenario_.has(Fault::Admission)) {
    const std::uint64_t total = scenario_.options.memory_total;
    options_.memory_total = random_.chance(400) ? total : random_.between(0, total);
  }
  return event::OptionsChanged{options_};
}

// Of types first, then classes, then the pool.
PauseTarget FakeClients::target(std::size_t number) const {
  const std::size_t types = scenario_.types.size();
  if (number < types) return pause_of(TypeId{static_cast<std::uint32_t>(number)});
  if (number == paused_.size() - 1) return pause_of_pool();
  return pause_of(ClassId{static_cast<std::uint16_t>(number - types)});
}

// What of a class may change while it works.
Event FakeClients::reload_class() {
  event::ClassDeclared declared = random_.pick(scenario_.classes);
  ClassOptions& options = declared.options;
  options.credits = std::max(options.concurrency, random_.between(1, 16));
  options.strategy = random_.chance(500) ? "round-robin" : "least-loaded";
  options.critical = random_.chance(200);
  options.beatless = random_.chance(100);
  if (scenario_.has(Fault::Admission) && random_.chance(400)) {
    options.memory_declared = random_.between(0, 400);
  }
  if (options.suspects_max && random_.chance(500)) options.suspects_max = random_.between(1, 3);
  if (scenario_.has(Fault::NextClasses) && random_.chance(300)) {
    options.retry_memory_class.clear();
    options.retry_timeout_class.clear();
  }
  if (!scenario_.has(Fault::Memory)) return declared;
  options.memory_soft = random_.chance(500) ? options.memory_soft : random_.between(200, 1000);
  return declared;
}

// Opens or closes a breaker, or reads its options again.
Event FakeClients::set_breaker() {
  const TypeId type{static_cast<std::uint32_t>(breakers_.below(scenario_.types.size()))};
  if (breakers_.chance(400)) {
    event::TypeConfigured& configured = configured_[type.value];
    configured.breaker = draw_breaker(breakers_);
    configured.breaker.on = breakers_.chance(800);
    return configured;
  }
  const bool open = breakers_.chance(600);
  const Duration time =
      breakers_.chance(500) ? Duration{} : breakers_.between(milliseconds(1), seconds(1));
  return event::SetBreaker{admin(), next_request(), type, open, time};
}

// Another need of a type, or another bound.
Event FakeClients::set_need() {
  if (needs_.chance(300)) {
    options_.memory_tasks_total = needs_.chance(150) ? 0 : needs_.between(600, 5000);
    options_.memory_pass_max = needs_.between(milliseconds(0), milliseconds(100));
    return event::OptionsChanged{options_};
  }
  event::TypeConfigured& configured = configured_[needs_.below(configured_.size())];
  configured.memory = draw_need(needs_);
  return configured;
}

std::optional<Event> FakeClients::operate(Instant now) {
  if (luck_.calm()) return std::nullopt;
  agenda_.plan(now + random_.between(milliseconds(5), milliseconds(600)), What::OperatorActs);
  luck_.count(Fault::Operator);
  if (scenario_.has(Fault::TypesDown) && breakers_.chance(250)) return set_breaker();
  if (scenario_.has(Fault::TaskMemory) && needs_.chance(250)) return set_need();
  const auto target_number = static_cast<std::size_t>(random_.below(paused_.size()));
  switch (random_.below(12)) {
    case 0:
    case 1:
    case 2:
      paused_[target_number] = !paused_[target_number];
      return event::Pause{admin(), next_request(), target(target_number), paused_[target_number]};
    case 3:
      drained_ = !drained_ && random_.chance(300);
      return event::Drain{admin(), next_request(), drained_};
    case 4:
      return random_.chance(500) ? reload() : reload_class();
    case 5:
      return event::Listen{random_.chance(500)};
    case 6:
    case 7:
      if (scenario_.has(Fault::ByHand)) luck_.count(Fault::ByHand);
      return restart();
    default:
      return scale();
  }
}

void FakeClients::undo_all(std::vector<Event>& out) {
  for (std::size_t number = 0; number < paused_.size(); ++number) {
    out.push_back(event::Pause{admin(), next_request(), target(number), false});
  }
  out.push_back(event::Drain{admin(), next_request(), false});
  if (scenario_.has(Fault::Admission)) {
    options_.memory_total = scenario_.options.memory_total;
    out.push_back(event::OptionsChanged{options_});
    for (const auto& declared : scenario_.classes) out.push_back(declared);
  }
  if (scenario_.has(Fault::ByHand)) {
    for (auto declared : scenario_.classes) {
      declared.options.automatic_restart = true;
      out.push_back(declared);
    }
  }
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
