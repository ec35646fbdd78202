// Checkpoints of runs, from the frame to the record. A handler may send them as often as it likes:
// of one run the store is given one in a while, the last of those that came meanwhile, and the last
// of all when the run ends without a result.
#include <algorithm>

#include "daemon/workers.hpp"
#include "ipc/codec.hpp"

namespace warmpool::daemon {
namespace {

constexpr Duration kCheckpointInterval = seconds(1);

}  // namespace

void Workers::carry(const command::AskCheckpoint& command) {
  auto* worker = reachable(command.worker);
  if (worker == nullptr || (worker->features & ipc::feature::kCheckpoint) == 0) return;
  if (!directories_.is_given(*worker, command.key)) return;
  send(*worker, ipc::run_header(ipc::Kind::CheckpointPlease, command.key));
}

// Too large a one is the handler's fault, which its own library should have told it.
void Workers::on_checkpoint(WorkerProcess& worker, const ipc::Frame& frame) {
  if (frame.payload.size() > ipc::kCheckpointBytesMax) {
    ++figures_.checkpoints_refused;
    services_.log.warn(places_.slot_name(worker.slot) + " sent a checkpoint of " +
                       std::to_string(frame.payload.size()) + " bytes, at most " +
                       std::to_string(ipc::kCheckpointBytesMax) +
                       " are kept; keep a path to the rest in it");
    return;
  }
  const auto key = ipc::key_of(frame.header);
  const auto held = std::ranges::find(worker.in_hand, key, &InHand::key);
  if (held == worker.in_hand.end()) {
    ++figures_.checkpoints_refused;
    services_.engine.step(event::AttemptCheckpointed{worker.id, key});  // it says so
    return;
  }
  held->unkept = Checkpoint{key.round, key.attempt, services_.engine.now(),
                            ipc::content_of(frame.header), Blob(frame.payload, frame.memory)};
  keep_due_checkpoint(worker, *held, services_.engine.now());
}

void Workers::keep_due_checkpoint(const WorkerProcess& worker, InHand& held, Instant now) {
  if (!held.unkept) return;
  if (now < held.checkpoint_due) {
    due_ = std::min(due_, held.checkpoint_due);
    return;
  }
  held.checkpoint_due = now + kCheckpointInterval;
  keep_checkpoint(worker, held);
}

// Without a record it is not current, or the disk takes nothing.
void Workers::keep_checkpoint(const WorkerProcess& worker, InHand& held) {
  if (!held.unkept) return;
  auto unkept = std::move(*held.unkept);
  held.unkept.reset();
  const auto bytes = static_cast<std::uint32_t>(unkept.body.size());
  const auto commands =
      services_.engine.step(event::AttemptCheckpointed{worker.id, held.key, bytes});
  const auto* persist = find_record<record::Checkpointed>(commands);
  ++(persist != nullptr ? figures_.checkpoints : figures_.checkpoints_refused);
  if (persist == nullptr) return;
  Attachment attachment;
  attachment.body = std::move(unkept.body);
  attachment.content = unkept.content;
  services_.engine.attach(persist->number, std::move(attachment));
}

// The payload with what an earlier attempt left behind it; empty if there is nothing such.
std::string Workers::with_checkpoint(const WorkerProcess& worker, const StoredTask& stored,
                                     ipc::AssignMeta& meta) const {
  const auto* checkpoint = stored.checkpoint;
  if (checkpoint == nullptr || (worker.features & ipc::feature::kCheckpoint) == 0) return {};
  std::string both;
  both.reserve(stored.body->size() + checkpoint->body.size());
  both += ipc::text_of(stored.body->bytes());
  both += ipc::text_of(checkpoint->body.bytes());
  meta.checkpoint_bytes = static_cast<std::uint32_t>(checkpoint->body.size());
  meta.checkpoint_content = checkpoint->content;
  return both;
}

}  // namespace warmpool::daemon
