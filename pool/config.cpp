// What is declared to the core: classes, types, options, pauses.
#include "pool/core.hpp"

namespace warmpool {

void Core::on(const event::ClassDeclared& event) {
  const std::size_t at = event.worker_class.value;
  if (at >= classes.size()) classes.resize(at + 1);
  WorkerClass& worker_class = classes[at];
  const bool first = !worker_class.declared;
  const bool resized = first || worker_class.options.size != event.options.size;
  worker_class.id = event.worker_class;
  worker_class.options = event.options;
  if (first) worker_class.cursor = static_cast<std::uint16_t>(event.options.start_index);
  worker_class.declared = true;
  for (SlotId id : worker_class.members) slots.look_at(slots[id], due_of(slots[id]));
  if (resized && !stopping_) resize(worker_class, static_cast<std::uint16_t>(event.options.size));
}

TypeState& Core::type_state(TypeId type) {
  if (type.value >= types.size()) types.resize(type.value + 1);
  return types[type.value];
}

void Core::on(const event::TypeDeclared& event) {
  REQUIRE(event.count <= event.classes.size());
  type_state(event.type).declared = true;
  lanes.serve(event.type, {event.classes.begin(), event.classes.begin() + event.count});
}

void Core::on(const event::OptionsChanged& event) {
  options = event.options;
  options.priority_step = genesis.options.priority_step;  // keys of waiting tasks hold it
  for (std::size_t at = 0; at < slots.size(); ++at) {
    Slot& slot = slots[SlotId{static_cast<std::uint16_t>(at)}];
    slots.look_at(slot, due_of(slot));
  }
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
