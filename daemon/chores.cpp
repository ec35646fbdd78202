// A handful of rows, looked at once a turn: a heap would cost more than it saves.
#include "daemon/chores.hpp"

#include <algorithm>

namespace warmpool::daemon {

void Chores::add(std::string_view name, std::function<Duration()> every, std::function<void()> run,
                 Instant now) {
  const auto first = now + every();
  chores_.push_back({name, std::move(every), std::move(run), first});
}

Instant Chores::due() const {
  auto due = kNever;
  for (const auto& chore : chores_) due = std::min(due, chore.next);
  return due;
}

void Chores::run(Instant now) {
  for (auto& chore : chores_) {
    if (chore.next > now) continue;
    chore.run();
    chore.next = now + chore.every();
  }
}

}  // namespace warmpool::daemon
