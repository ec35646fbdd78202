// Progress of runs, from the frame to who waits. Handlers may report as often as they like: clients
// are told at most ten times a second of one run, of the last report and the last partial result,
// and these are never left out.
#include <algorithm>

#include "daemon/workers.hpp"
#include "ipc/codec.hpp"

namespace warmpool::daemon {
namespace {

constexpr Duration kProgressInterval = milliseconds(100);

}  // namespace

void Workers::on_progress_frame(WorkerProcess& worker, const ipc::Frame& frame) {
  const auto meta = ipc::decode<ipc::ProgressMeta>(frame.meta);
  if (!meta) return break_off(worker, meta.error().code, meta.error().text);
  const auto held = std::ranges::find(worker.in_hand, ipc::key_of(frame.header), &InHand::key);
  if (held == worker.in_hand.end()) return;
  services_.engine.step(event::AttemptProgressed{worker.id, held->key});
  auto& untold = held->untold ? *held->untold : held->untold.emplace();
  untold.permille = meta->permille;
  untold.text = meta->text;
  if (frame.payload.size() > ipc::kPartialBytesMax) {
    services_.log.warn(places_.slot_name(worker.slot) + " sent a partial result of " +
                       std::to_string(frame.payload.size()) + " bytes, at most " +
                       std::to_string(ipc::kPartialBytesMax) + " are passed on");
  } else if (!frame.payload.empty()) {  // without one the last stands
    untold.partial = ipc::text_of(frame.payload);
    untold.content = ipc::content_of(frame.header);
  }
  tell_due_progress(*held, services_.engine.now());
}

void Workers::tell_due_progress(InHand& held, Instant now) {
  if (!held.untold) return;
  if (now < held.progress_due) {
    due_ = std::min(due_, held.progress_due);
    return;
  }
  held.progress_due = now + kProgressInterval;
  tell_progress(held);
}

void Workers::tell_progress(InHand& held) {
  if (!held.untold) return;
  on_progress_(held.key, *held.untold);
  held.untold.reset();
}

}  // namespace warmpool::daemon
