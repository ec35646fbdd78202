// What is declared to the core: classes, types, options, pauses.
#include <algorithm>

#include "pool/core.hpp"

namespace warmpool {

void Core::on(const event::ClassDeclared& event) {
  const std::size_t at = event.worker_class.value;
  if (at >= classes.size()) classes.resize(at + 1);
  WorkerClass& worker_class = classes[at];
  const bool first = !worker_class.declared;
  const bool resized = first || worker_class.options.size != event.options.size;
  const bool beats_otherwise = worker_class.options.beatless != event.options.beatless;
  worker_class.id = event.worker_class;
  worker_class.options = event.options;
  if (first) worker_class.cursor = static_cast<std::uint16_t>(event.options.start_index);
  worker_class.declared = true;
  for (SlotId id : worker_class.members) {
    Slot& slot = slots[id];
    if (beats_otherwise && slot.worker) heard(slot);
    grant_credits(slot);
    slots.look_at(slot, due_of(slot));
    refresh(slot);
  }
  if (!resized || stopping_) return;
  const auto most = static_cast<std::uint64_t>(room(worker_class));
  resize(worker_class, static_cast<std::uint16_t>(std::min(event.options.size, most)));
}

TypeState& Core::type_state(TypeId type) {
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

void Core::on(const event::PauseType& event) {
  if (event.type.value >= types.size() || !types[event.type.value].declared) {
    return refuse(event.client, event.request, {}, Refusal::UnknownType);
  }
  if (event.paused) {
    lanes.close(event.type, Hold::Paused);
  } else {
    lanes.open(event.type, Hold::Paused, now, options.reopen_age_max);
  }
  Notification told{.notice = event.paused ? Notice::TypePaused : Notice::TypeResumed};
  told.type = event.type;
  notify(told);
  recorder.persist(record::TypePaused{event.type, event.paused}, *out_);
  recorder.then(Recorder::Then::Answer, kNone, {}, event.client, event.request);
}

}  // namespace warmpool
