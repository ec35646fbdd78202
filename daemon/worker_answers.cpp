// What workers answer: results and failures, and what has to be written before they count.
#include <algorithm>

#include "daemon/autopsy.hpp"
#include "daemon/large_frames.hpp"
#include "daemon/workers.hpp"
#include "ipc/codec.hpp"

namespace warmpool::daemon {
namespace {

// Of a result that came by descriptor: it is too large for a row.
constexpr std::string_view kNoFile =
    "the result is refused: it could not be written to its file in time; see that the disk of the "
    "state directory has room and is not too slow";

event::AttemptAnswered no_room(WorkerId worker, const ipc::Frame& frame) {
  event::AttemptAnswered refused{worker, ipc::key_of(frame.header), Outcome::Failed};
  refused.no_room = true;
  return refused;
}

}  // namespace

void Workers::on_done(WorkerProcess& worker, const ipc::Frame& frame) {
  services_.stamps.note(TaskId{frame.header.id}, ipc::Stamp::Heard);
  Blob large;
  if ((frame.header.descriptors | frame.header.meta_bytes) != 0) {
    auto taken = take_large_result(services_, worker.channel.came(), frame);
    if (!taken && taken.error().code >= 500) {
      return break_off(worker, taken.error().code, taken.error().text);
    }
    if (!taken) {
      const bool full = taken.error().code == static_cast<int>(Refusal::LargeFull);
      const event::AttemptAnswered never{worker.id, ipc::key_of(frame.header),
                                         Outcome::FailedForGood};
      return answer(worker, frame, full ? no_room(worker.id, frame) : never,
                    "the result is refused: " + taken.error().text);
    }
    large = std::move(*taken);
  }
  if (hold(worker, frame, large)) return;
  const auto stored =
      large.size() != 0 ? services_.store.find(TaskId{frame.header.id}) : std::nullopt;
  if (stored && stored->durability != Durability::None) {
    return answer(worker, frame, no_room(worker.id, frame), kNoFile);
  }
  take_result(worker, frame, {std::move(large), {}});
}

// Events of one worker keep their order: nothing of it is taken before this one went on.
bool Workers::hold(WorkerProcess& worker, const ipc::Frame& frame, Blob& large) {
  const auto bytes = frame.payload.size();
  const bool is_inline = large.size() == 0;
  if (is_inline && (bytes <= kBodyInRowMax || bytes > services_.options().result_bytes_max)) {
    return false;
  }
  const auto key = ipc::key_of(frame.header);
  const bool has_it = std::ranges::find(worker.in_hand, key, &InHand::key) != worker.in_hand.end();
  const auto stored = services_.store.find(key.task);
  if (worker.holds_none || !has_it || !stored || stored->durability == Durability::None) {
    return false;
  }
  KeptBody kept{is_inline ? Blob(frame.payload, frame.memory) : large.share(), {}};
  kept.file = services_.store.begin_body(BodyKind::Result, kept.body, 0);
  if (!kept.file) return false;
  held_.emplace_back(kept.file, worker.id);
  worker.held.emplace(WorkerProcess::Held{frame, std::move(kept)});
  if (worker.channel_watch) worker.channel_watch->stop_reading();
  return true;
}

bool Workers::carry(const BodyEnded& ended) {
  const auto its = std::ranges::find(held_, ended.file, &std::pair<BodyFile, WorkerId>::first);
  if (its == held_.end()) return false;
  const auto found = workers_.find(its->second.value);
  held_.erase(its);
  const bool waits = found != workers_.end() && found->second->held &&
                     found->second->held->kept.file == ended.file;
  if (!waits) {  // it went on without
    services_.store.drop_body(ended.file);
    return true;
  }
  auto& worker = *found->second;
  worker.held->kept.file = ended.fault.empty() ? ended.file : BodyFile();
  go_on(worker);
  return true;
}

// The result goes into its row. The file is dropped when it is there.
void Workers::release(WorkerProcess& worker) {
  if (!worker.held) return;
  worker.held->kept.file = {};
  go_on(worker);
}

void Workers::go_on(WorkerProcess& worker) {
  auto held = std::move(*worker.held);
  worker.held.reset();
  if (held.kept.body.is_by_descriptor() && !held.kept.file) {  // too large for a row
    answer(worker, held.frame, no_room(worker.id, held.frame), kNoFile);
  } else {
    take_result(worker, held.frame, std::move(held.kept));
  }
  take_frames(worker);
  const bool reads = !worker.held && !worker.broken && !worker.closed_at && worker.channel_watch;
  if (reads) worker.channel_watch->start_reading();
}

void Workers::take_result(WorkerProcess& worker, const ipc::Frame& frame, KeptBody kept) {
  event::AttemptAnswered answered{worker.id, ipc::key_of(frame.header), Outcome::Done};
  const bool large = kept.body.is_by_descriptor();
  answered.result_bytes =
      static_cast<std::uint32_t>(large ? kept.body.size() : frame.payload.size());
  const auto most = services_.options().result_bytes_max;
  if (large || frame.payload.size() <= most)
    return answer(worker, frame, answered, {}, std::move(kept));
  if (kept.file) services_.store.drop_body(kept.file);
  answered.outcome = Outcome::FailedForGood;
  answered.result_bytes = 0;
  answer(worker, frame, answered,
         "the result has " + std::to_string(frame.payload.size()) + " bytes, at most " +
             std::to_string(most) +
             " are kept (result_bytes_max); return a path instead, or "
             "raise it");
}

void Workers::on_failed(WorkerProcess& worker, const ipc::Frame& frame) {
  services_.stamps.note(TaskId{frame.header.id}, ipc::Stamp::Heard);
  const auto meta = ipc::decode<ipc::FailedMeta>(frame.meta);
  if (!meta) return break_off(worker, meta.error().code, meta.error().text);
  event::AttemptAnswered answered{worker.id, ipc::key_of(frame.header), meta->outcome};
  answered.retry_after =
      Duration{std::clamp(meta->retry_after.ns, std::int64_t{0}, kDurationMax.ns)};
  const auto text = ipc::text_of(frame.payload);
  if (ipc::is_utf8(text)) return answer(worker, frame, answered, text);
  answer(worker, frame, answered, safe_text(text));
}

void Workers::answer(WorkerProcess& worker, const ipc::Frame& frame,
                     event::AttemptAnswered answered, std::string_view error, KeptBody kept) {
  answered.service = microseconds(frame.header.type);
  std::vector<std::string> output;
  std::string autopsy;
  memory_.answering(worker, answered.key);
  ++figures_.reuse[worker.worker_class].answered;
  const auto held = std::ranges::find(worker.in_hand, answered.key, &InHand::key);
  if (held != worker.in_hand.end()) {
    // What the handler printed last is still in the pipes. While others are in hand it may be
    // theirs as well, so then the pipes are read in their turn, unless it says whose it is.
    const bool failed = answered.outcome != Outcome::Done;
    const bool told = worker.output.has_marks() || worker.errors.has_marks();
    if (failed || told || worker.in_hand.size() == 1) take_output(worker);
    if (failed) output = output_since(worker, held->assigned_at, answered.key.task);
    answered.out_of_memory = answered.outcome == Outcome::Failed && !answered.ungiven &&
                             !answered.no_room && held->ending == EndCause::Done &&
                             memory_.ran_out(worker, held->key);
    const SaidFailure said{answered.outcome, error, answered.out_of_memory, answered.ungiven,
                           answered.no_room};
    if (failed) autopsy = autopsy_of_answer(services_, places_, worker, *held, said);
    if (failed) keep_checkpoint(worker, *held);
    tell_progress(*held);
    forget(*held);
    const bool pings = services_.options_of(worker.worker_class).check == "ping";
    if (pings && !answered.ungiven) worker.check.failures = 0;  // as in the core
    const auto type = held->type;
    worker.in_hand.erase(held);
    const bool next = !answered.ungiven && !worker.in_hand.empty();
    if (next && services_.one_runs(worker.worker_class))
      worker.in_hand.front().begun_at = services_.engine.now();
    left_behind_.answered(worker, type);
  }
  const auto commands = services_.engine.step(answered);
  for (const auto& command : commands) {
    RecordNumber number;
    TaskId task;
    WorkerId ended;
    if (!ends_attempt(command, number, task, ended) || task != answered.key.task) continue;
    const auto* settled = std::get_if<record::Settled>(&std::get<command::Persist>(command).record);
    const bool done = settled != nullptr && settled->verdict == Verdict::Done;
    if (done != (answered.outcome == Outcome::Done)) continue;
    Attachment attachment;
    if (done) {
      attachment.content = ipc::content_of(frame.header);
      attachment.body =
          kept.body.size() != 0 ? std::move(kept.body) : Blob(frame.payload, frame.memory);
    } else {
      attachment = failure_attachment(error, output, autopsy);
    }
    attachment.file = std::exchange(kept.file, {});
    services_.engine.attach(number, std::move(attachment));
  }
  if (kept.file) services_.store.drop_body(kept.file);
  memory_.answered(worker);
}

}  // namespace warmpool::daemon
