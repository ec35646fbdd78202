// What is declared to the core: classes, types, options, pauses.
#include <algorithm>
#include <utility>

#include "pool/core.hpp"

namespace warmpool {

void Core::on(const event::ClassDeclared& event) {
  const std::size_t at = event.worker_class.value;
  if (at >= classes.size()) classes.resize(at + 1);
  WorkerClass& worker_class = classes[at];
  const bool first = !worker_class.declared;
  const bool resized = first || worker_class.options.size != event.options.size;
  const bool beats_otherwise = worker_class.options.beatless != event.options.beatless;
  const bool checked = worker_class.options.check != "none";
  worker_class.id = event.worker_class;
  worker_class.options = event.options;
  if (first) worker_class.cursor = static_cast<std::uint16_t>(event.options.start_index);
  if (first) worker_class.wanted_at = worker_class.place_time.since = now;
  worker_class.declared = true;
  worker_class.oversized_told = false;
  for (SlotId id : worker_class.members) {
    Slot& slot = slots[id];
    if (beats_otherwise && slot.worker) heard(slot);
    grant_credits(slot);
    if (checked && event.options.check == "none") uncheck(slot);
    slots.look_at(slot, due_of(slot));
    refresh(slot);
    if (slot.worker) judge_memory(slot);
  }
  if (stopping_) return;
  set_recovery(worker_class);
  if (!resized) {
    const bool parks = event.options.max_idle.ns != 0;
    const auto least = std::min<std::uint64_t>(event.options.size_min, worker_class.target);
    const std::uint64_t wanted = parks ? least : worker_class.target;
    if (worker_class.wanted() < wanted) bring_back(worker_class, wanted - worker_class.wanted());
    return;
  }
  const auto most = static_cast<std::uint64_t>(slots.room(worker_class));
  resize(worker_class, static_cast<std::uint16_t>(std::min(event.options.size, most)));
}

TypeState& CoreState::type_state(TypeId type) {
  if (type.value >= types.size()) types.resize(type.value + 1);
  return types[type.value];
}

void Core::on(const event::TypeDeclared& event) {
  REQUIRE(event.count <= event.classes.size());
  type_state(event.type).declared = true;
  const std::vector<ClassId> serving{event.classes.begin(), event.classes.begin() + event.count};
  lanes.serve(event.type, serving);
  make_peers(serving);
}

// A class that once shared a type may be asked in vain; that it is not asked would be a fault.
void Core::make_peers(const std::vector<ClassId>& serving) {
  for (ClassId one : serving) {
    auto& peers = classes[one.value].peers;
    for (ClassId other : serving) {
      if (one != other && std::ranges::find(peers, other) == peers.end()) peers.push_back(other);
    }
  }
}

void Core::on(const event::OptionsChanged& event) {
  options = event.options;
  options.priority_step = genesis.options.priority_step;  // keys of waiting tasks hold it
  look_behind();
  refresh_all();
}

// Whether that changed anything; nothing: there is no such type or class. A class and the pool stop
// dispatching and move no lane: the order of what waits stays as it is.
std::optional<bool> Core::set_paused(const PauseTarget& target, bool paused) {
  switch (target.scope) {
    case PauseScope::Type: {
      if (target.type.value >= types.size()) return std::nullopt;
      const bool was = (lanes.holds(target.type) & hold_bit(Hold::Paused)) != 0;
      if (was == paused) return false;
      if (paused) {
        lanes.close(target.type, Hold::Paused);
      } else {
        lanes.open(target.type, Hold::Paused, now, options.reopen_age_max);
      }
      return true;
    }
    case PauseScope::Class:
      if (target.worker_class.value >= classes.size()) return std::nullopt;
      return std::exchange(classes[target.worker_class.value].paused, paused) != paused;
    case PauseScope::Pool:
      break;
  }
  return std::exchange(paused_, paused) != paused;
}

namespace {

Notice notice_of(PauseScope scope, bool paused) {
  switch (scope) {
    case PauseScope::Type:
      return paused ? Notice::TypePaused : Notice::TypeResumed;
    case PauseScope::Class:
      return paused ? Notice::ClassPaused : Notice::ClassResumed;
    case PauseScope::Pool:
      break;
  }
  return paused ? Notice::PoolPaused : Notice::PoolResumed;
}

}  // namespace

void Core::on(const event::Pause& event) {
  const auto changed = set_paused(event.target, event.paused);
  if (!changed) {
    const bool type = event.target.scope == PauseScope::Type;
    const auto code = type ? Refusal::UnknownType : Refusal::NoSuchClass;
    return refuse(event.client, event.request, {}, code);
  }
  // The record that made it so may not be kept yet.
  if (!*changed) {
    if (recorder.kept() == recorder.last()) return complete(event.client, event.request, 0, 1);
    return recorder.then(Recorder::Then::Answer, kNone, {}, event.client, event.request);
  }
  Notification told{.notice = notice_of(event.target.scope, event.paused)};
  told.type = event.target.type;
  told.worker_class = event.target.worker_class;
  notify(told);
  recorder.persist(record::Paused{event.target, event.paused}, *out_);
  recorder.then(Recorder::Then::Answer, kNone, {}, event.client, event.request);
}

// What keeps a type from being started by a pause; a class only if no other one serves it.
std::optional<PauseScope> CoreState::paused_by(TypeId type) const {
  return paused_by(type, lanes.classes(type));
}

std::optional<PauseScope> CoreState::paused_by(TypeId type,
                                               std::span<const ClassId> serving) const {
  if (paused_) return PauseScope::Pool;
  if ((lanes.holds(type) & hold_bit(Hold::Paused)) != 0) return PauseScope::Type;
  const bool all = !serving.empty() && std::ranges::all_of(serving, [this](ClassId id) {
    return id.value < classes.size() && classes[id.value].paused;
  });
  if (all) return PauseScope::Class;
  return std::nullopt;
}

}  // namespace warmpool
