// What clients are promised: every request gets exactly one answer, none before its record is kept,
// and a verdict is told once.
#include "tests/sim/oracle_admission.hpp"

namespace warmpool::sim {
namespace {

std::string request_name(RequestId request) { return "request " + std::to_string(request.value); }

}  // namespace

void Oracle::ask(SeenRequest request) {
  open_.emplace(request.request.value, static_cast<std::uint32_t>(requests_.size()));
  ++open_requests_;
  requests_.push_back(std::move(request));
}

SeenRequest& Oracle::answer(ClientId client, RequestId request) {
  require_rule(!gone_.contains(client.value), "no-reply-to-gone",
               [&] { return request_name(request) + " of a client that has left"; });
  const auto found = open_.find(request.value);
  require_rule(found != open_.end(), "one-answer",
               [&] { return request_name(request) + " was answered twice, or never asked"; });
  SeenRequest& asked = requests_[found->second];
  require_rule(asked.client == client, "one-answer",
               [&] { return request_name(request) + " was answered to another client"; });
  asked.answered = true;
  open_.erase(found);
  --open_requests_;
  return asked;
}

void Oracle::client_gone(ClientId client) {
  gone_.insert(client.value);
  for (SeenRequest& request : requests_) {
    if (request.client != client || request.answered) continue;
    request.answered = true;
    open_.erase(request.request.value);
    --open_requests_;
  }
  for (std::uint32_t index : unsettled_) {
    SeenTask& task = tasks_[index];
    if (task.owner == client && task.spec.cancel_on_disconnect) task.dropped = true;
  }
}

void Oracle::judge_accepted(const command::Accepted& accepted) {
  const SeenRequest& asked = answer(accepted.client, accepted.request);
  require_rule(asked.asked == Asked::Submit, "one-answer",
               [&] { return request_name(asked.request) + " was no submit"; });
  SeenTask& task = task_of(accepted.task);
  require_rule(task.accept_kept, "gate-accept",
               [&] { return task_name(task.id) + " was acknowledged before its record was kept"; });
  task.promised = true;
  if (accepted.duplicate) {
    if (!asked.spec.cancel_on_disconnect && !task.spec.cancel_on_disconnect) task.kept = true;
    require_rule(task.spec.key && asked.spec.key == task.spec.key, "keys", [&] {
      return request_name(asked.request) + " was told it is " + task_name(task.id) +
             ", which has another key";
    });
    return;
  }
  require_rule(asked.spec.payload_bytes == task.spec.payload_bytes &&
                   asked.spec.type == task.spec.type && task.submitter == accepted.client,
               "accept-matches",
               [&] { return request_name(asked.request) + " got the task of another"; });
}

void Oracle::judge_refusal(const command::Refused& refused, const SeenRequest& request) {
  const auto fair = [&](bool holds) {
    require_rule(holds, "refusal", [&] {
      return request_name(request.request) +
             " was refused without reason: " + std::string(name_of(refused.code));
    });
  };
  const SeenTask* task = find_task(request.task);
  switch (refused.code) {
    case Refusal::QueueFull:
      return fair(unsettled_.size() + letters_over() >= options_.tasks_max);
    case Refusal::BytesFull:
      return fair(payload_bytes_ + letter_bytes_over() + bytes_of(request) >
                  options_.payload_bytes_total_max);
    case Refusal::Draining:
      return fair(draining_);
    case Refusal::Stopping:
      return fair(stopping_);
    case Refusal::StoreUnavailable:
      return fair(!accepting_);
    case Refusal::KeyConflict: {
      const auto* known = request.spec.key ? task_with(*request.spec.key) : nullptr;
      return fair(known != nullptr && tasks_[*known].spec.key->digest != request.spec.key->digest);
    }
    case Refusal::NoSuchTask:
      return fair(task == nullptr || task->phase == Phase::Settled ||
                  task->phase == Phase::Removed);
    case Refusal::NotDead:
      return fair(task == nullptr || task->phase != Phase::Settled ||
                  task->settle_record > kept_record_ || task->verdict.verdict != Verdict::Dead);
    case Refusal::AlreadySettled:
      return fair(task != nullptr && task->phase >= Phase::Settled);
    case Refusal::NotHeld:
      return fair(task == nullptr || task->phase != Phase::Held || task->gate > kept_record_);
    case Refusal::NoSuchWorker:
      return fair(request.asked == Asked::Restart);
    case Refusal::NoBreaker:
      return fair(request.asked == Asked::Breaker && !types_[request.task.value].breaker.rules.on);
    case Refusal::MemoryDoesNotFit: {
      const auto* scale = std::get_if<event::Scale>(event_);
      if (scale == nullptr) return fair(false);
      const SeenClass& scaled = classes_[scale->worker_class.value];
      const bool up = scale->mode == event::ScaleMode::Up;
      const std::uint64_t wanted = up ? scaled.target + scale->number : scale->number;
      const bool grows = scale->mode != event::ScaleMode::Down && wanted > scaled.target;
      return fair(grows && !AdmissionWatch{*this}.may_be_scaled(scale->worker_class, wanted));
    }
    case Refusal::SizeOutOfRange:
      return fair(request.asked == Asked::Scale);
    default:
      return fair(false);
  }
}

std::uint64_t Oracle::bytes_of(const SeenRequest& request) {
  const SeenTask* task = find_task(request.task);
  if (request.payload_bytes) return *request.payload_bytes;
  return task == nullptr ? request.spec.payload_bytes : task->spec.payload_bytes;
}

// A submit that made nothing and was not refused stands for an earlier task with its key.
void Oracle::judge_duplicate(const event::Submit& submit) {
  if (submit_answered_) return;
  ++seen_.duplicates;
  const auto* known = submit.spec.key ? task_with(*submit.spec.key) : nullptr;
  require_rule(known != nullptr && tasks_[*known].spec.key == submit.spec.key, "keys",
               [&] { return std::string("a submit with a new key was taken for an old task"); });
}

// What the disk did not take is refused in this step, and then never runs.
void Oracle::withdrawal_comes() {
  for (std::size_t at = first_gate_; at < accept_gates_.size(); ++at) {
    SeenTask& task = tasks_[accept_gates_[at].second];
    task.withdrawn = !gone_.contains(task.submitter.value);
  }
}

// Whose task has settled waits for no full disk, and for a slow one at most a second.
void Oracle::judge_cancels() {
  for (const auto& [number, index] : open_) {
    const SeenRequest& request = requests_[index];
    const SeenTask* task = request.asked == Asked::Cancel ? find_task(request.task) : nullptr;
    if (task == nullptr || task->phase != Phase::Settled) continue;
    require_rule(accepting_ && now_ < task->settled_at + seconds(1), "answers-late",
                 [&] { return request_name(request.request) + " waits for the disk"; });
  }
}

// While the disk takes nothing nobody waits for it: of what it refused no submit is left open, and
// of what has settled no cancel.
void Oracle::judge_unanswered() {
  const auto* submit = std::get_if<event::Submit>(event_);
  require_rule(submit == nullptr || accepting_ || !open_.contains(submit->request.value),
               "answers-at-once",
               [] { return std::string("a submit waits for a disk that is full"); });
  const auto* state = std::get_if<event::StoreState>(event_);
  if (state == nullptr || state->accepting) return;
  for (const auto& [number, index] : open_) {
    const SeenRequest& request = requests_[index];
    const SeenTask* task = request.asked == Asked::Cancel ? find_task(request.task) : nullptr;
    const bool idle = task != nullptr && task->phase == Phase::Settled;
    require_rule(!idle && !(state->undone && request.asked == Asked::Submit), "answers-at-once",
                 [&] { return request_name(request.request) + " waits for a disk that is full"; });
  }
  if (!state->undone) return;
  for (std::size_t at = first_gate_; at < accept_gates_.size(); ++at) {
    const SeenTask& task = tasks_[accept_gates_[at].second];
    require_rule(!task.withdrawn || task.phase == Phase::Settled, "withdrawn",
                 [&] { return task_name(task.id) + " was refused and goes on"; });
  }
}

void Oracle::judge_announce(const command::Announce& announce) {
  SeenTask& task = task_of(announce.task);
  require_rule(task.phase == Phase::Settled && task.settle_record <= kept_record_, "gate-announce",
               [&] { return task_name(task.id) + " was announced before its record was kept"; });
  require_rule(!task.announced && announce.round == task.round, "one-verdict",
               [&] { return task_name(task.id) + " was announced twice"; });
  const record::Settled& settled = task.verdict;
  require_rule(announce.verdict == settled.verdict && announce.cause == settled.cause &&
                   announce.used == settled.used && announce.attempt == settled.attempt,
               "announce-matches",
               [&] { return task_name(task.id) + " was announced otherwise than recorded"; });
  task.announced = true;
  --unannounced_;
}

void Oracle::judge_completed(const command::Completed& completed) {
  const SeenRequest& asked = answer(completed.client, completed.request);
  require_rule(asked.asked != Asked::Submit && asked.asked != Asked::Cancel, "one-answer",
               [&] { return request_name(asked.request) + " got the wrong kind of answer"; });
  const bool changes = asked.asked == Asked::RetryDead || asked.asked == Asked::RemoveDead ||
                       asked.asked == Asked::Release || asked.asked == Asked::Pause;
  const bool written = (asked.record || asked.unchanged) && asked.record <= kept_record_;
  require_rule(!changes || written, "gate-completed", [&] {
    return request_name(asked.request) + " was answered before what it changed was kept";
  });
  if (asked.asked != Asked::Scale) return;
  SeenClass& scaled = classes_[asked.task.value];
  require_rule(completed.before == scaled.target && completed.after >= scaled.options.size_min &&
                   completed.after <= scaled.options.size_max,
               "scale", [&] {
                 return "class " + std::to_string(asked.task.value) + " from " +
                        std::to_string(completed.before) + " to " + std::to_string(completed.after);
               });
  const ClassId its{static_cast<std::uint16_t>(asked.task.value)};
  require_rule(completed.after <= completed.before ||
                   AdmissionWatch{*this}.may_be_scaled(its, completed.after),
               "memory-scale", [&] {
                 return "class " + std::to_string(its.value) + " was given a size of " +
                        std::to_string(completed.after) + ", which can never fit";
               });
  if (completed.before != completed.after) {
    owe(completed.after > completed.before ? Notice::PoolScaledUp : Notice::PoolScaledDown);
  }
  if (completed.after < completed.before) {
    may_drain(ClassId{static_cast<std::uint16_t>(asked.task.value)});
  }
  scaled.target = completed.after;
  scaled.parked = 0;
  scaled.needed_at = now_;
}

}  // namespace warmpool::sim
