// A Tick ends runs in no other way, so whatever of a worker that lives is ended there was given up.
#include "daemon/given_up.hpp"

#include <algorithm>

#include "daemon/autopsy.hpp"

namespace warmpool::daemon {
namespace {

Attachment told_of(const Services& services, const Workers& workers, const WorkerProcess& worker,
                   const InHand& held) {
  const AutopsyCase one{
      .worker = worker, .cause = *worker.ordered, .ours = true, .attempt = &held, .stays = true};
  const auto text = cause_sentence(workers.places().slot_name(worker.slot), one);
  const bool worth = is_worth_autopsy(worker, one.cause);
  return failure_attachment(text, workers.output_since(worker, held.assigned_at, held.key.task),
                            worth ? autopsy_of(services, workers.places(), one) : std::string());
}

}  // namespace

void attach_given_up(Services& services, const Workers& workers,
                     std::span<const Command> commands) {
  for (const auto& command : commands) {
    RecordNumber number;
    TaskId task;
    WorkerId id;
    if (!ends_attempt(command, number, task, id)) continue;
    const auto* worker = workers.find(id);
    if (worker == nullptr || !worker->ordered) continue;
    const auto held =
        std::ranges::find(worker->in_hand, task, [](const InHand& each) { return each.key.task; });
    if (held == worker->in_hand.end()) continue;
    services.engine.attach(number, told_of(services, workers, *worker, *held));
  }
}

}  // namespace warmpool::daemon
