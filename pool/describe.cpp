// Short on purpose: a violation prints the last 40 lines, and each must be read at a glance.
#include "pool/describe.hpp"

#include <array>
#include <cstdio>

namespace warmpool {
namespace {

std::string text(std::uint64_t number) { return std::to_string(number); }

std::string span(Duration duration) { return std::to_string(duration.ns / 1000) + "us"; }

std::string key_text(const AttemptKey& key) {
  return task_name(key.task) + " r" + text(key.round) + " a" + text(key.attempt);
}

template <class Enum>
std::string word(Enum value) {
  return std::string(name_of(value));
}

std::string bytes_text(std::optional<std::uint32_t> payload_bytes) {
  return payload_bytes ? " with " + text(*payload_bytes) + " bytes" : "";
}

std::string asked(ClientId client, RequestId request) {
  return "client " + text(client.value) + " request " + text(request.value);
}

std::string used_text(const record::Used& used) {
  return " used f" + text(used.failures) + " c" + text(used.crashes) + " i" +
         text(used.interruptions);
}

std::string target_text(const PauseTarget& target) {
  if (target.scope == PauseScope::Type) return "type " + text(target.type.value);
  if (target.scope == PauseScope::Class) return "class " + text(target.worker_class.value);
  return "the pool";
}

struct EventText {
  std::string operator()(const event::ClassDeclared& e) const {
    return "class " + text(e.worker_class.value) + " size " + text(e.options.size) + " credits " +
           text(credits_of(e.options)) + " concurrency " + text(e.options.concurrency);
  }
  std::string operator()(const event::TypeDeclared& e) const {
    return "type " + text(e.type.value) + " served by " + text(e.count);
  }
  std::string operator()(const event::TypeConfigured& e) const {
    const BreakerOptions& b = e.breaker;
    return "configure type " + text(e.type.value) + " breaker " + (b.on ? "on" : "off") + " row " +
           text(b.failures) + " share " + text(b.percent) + "% of " + text(b.runs) + " in " +
           span(b.window) + " cooldown " + span(b.cooldown) + " to " + span(b.cooldown_max) +
           " probes " + text(b.probes) + " successes " + text(b.successes) +
           (e.memory.learned      ? " memory learned"
            : e.memory.bytes != 0 ? " memory " + text(e.memory.bytes)
                                  : "");
  }
  std::string operator()(const event::SetBreaker& e) const {
    return std::string(e.open ? "open" : "close") + " breaker of type " + text(e.type.value) +
           (e.time.ns > 0 ? " for " + span(e.time) : "");
  }
  std::string operator()(const event::OptionsChanged&) const { return "options changed"; }
  std::string operator()(const event::Submit& e) const {
    const TaskSpec& spec = e.spec;
    return "submit " + asked(e.client, e.request) + " type " + text(spec.type.value) + " tenant " +
           text(spec.tenant.value) + " priority " + text(spec.priority) + " bytes " +
           text(spec.payload_bytes) + " retries " + text(spec.retries) + " crashes " +
           text(spec.crashes_max) + " timeout " + span(spec.timeout) +
           (spec.delay.ns > 0 ? " delay " + span(spec.delay) : "") +
           (spec.deadline.ns > 0 ? " deadline " + span(spec.deadline) : "") +
           (spec.expiry.ns > 0 ? " expiry " + span(spec.expiry) : "") +
           (spec.run_at.ns != 0 ? " run-at " + std::to_string(spec.run_at.ns) : "") +
           (spec.key ? " key " + word(spec.key->use) + " " + text(spec.key->high % 10000) : "") +
           (spec.cancel_on_disconnect ? " drops" : "");
  }
  std::string operator()(const event::Cancel& e) const {
    return "cancel " + asked(e.client, e.request) + " " + task_name(e.task);
  }
  std::string operator()(const event::ClientGone& e) const {
    return "client-gone " + text(e.client.value);
  }
  std::string operator()(const event::RetryDead& e) const {
    return "retry-dead " + asked(e.client, e.request) + " " + task_name(e.task) +
           bytes_text(e.payload_bytes);
  }
  std::string operator()(const event::Archived& e) const {
    return (e.kept ? "archived " : "not-archived ") + task_name(e.task) + " r" + text(e.round);
  }
  std::string operator()(const event::RemoveDead& e) const {
    return "remove-dead " + asked(e.client, e.request) + " " + task_name(e.task);
  }
  std::string operator()(const event::Release& e) const {
    return "release " + asked(e.client, e.request) + " " + task_name(e.task);
  }
  std::string operator()(const event::Scale& e) const {
    return "scale " + asked(e.client, e.request) + " class " + text(e.worker_class.value) +
           " mode " + text(static_cast<std::uint64_t>(e.mode)) + " " + text(e.number);
  }
  std::string operator()(const event::Restart& e) const {
    return "restart " + asked(e.client, e.request) +
           (e.worker_class ? " class " + text(e.worker_class->value) : "") +
           (e.home ? " home " + text(e.home->value) : "");
  }
  std::string operator()(const event::Received& e) const { return "received " + task_name(e.task); }
  std::string operator()(const event::Pause& e) const {
    return std::string(e.paused ? "pause " : "resume ") + target_text(e.target);
  }
  std::string operator()(const event::Drain& e) const { return e.on ? "drain on" : "drain off"; }
  std::string operator()(const event::Stop& e) const { return e.now ? "stop now" : "stop"; }
  std::string operator()(const event::WorkerReady& e) const {
    return "ready " + worker_name(e.worker) + " credits " + text(e.credits) +
           (e.recall ? " recall" : "");
  }
  std::string operator()(const event::WorkerBeat& e) const {
    return "beat " + worker_name(e.worker);
  }
  std::string operator()(const event::WorkerStopped& e) const {
    return (e.stopped ? "stopped " : "goes-on ") + worker_name(e.worker);
  }
  std::string operator()(const event::WorkerSampled& e) const {
    return "sampled " + worker_name(e.worker) + " " + text(e.memory_bytes) + " bytes";
  }
  std::string operator()(const event::WorkerMeasured& e) const {
    const event::Measures& m = e.measures;
    return "measured " + worker_name(e.worker) + " cpu " + text(m.cpu) + " files " +
           text(m.descriptors) + "/" + text(m.descriptors_max) +
           (m.throttled ? " throttled " + text(*m.throttled) : "") +
           (m.disk_wait ? " disk-wait " + text(*m.disk_wait) : "") + (m.moved ? " moved" : "");
  }
  std::string operator()(const event::WorkerChecked& e) const {
    return (e.passed ? "passed-check " : "failed-check ") + worker_name(e.worker) + " in " +
           span(e.took);
  }
  std::string operator()(const event::WorkerFlagged& e) const {
    return (e.degraded ? "says-degraded " : "says-well ") + worker_name(e.worker);
  }
  std::string operator()(const event::WorkerPrepares& e) const {
    return (e.over ? "prepared " : "prepares ") + worker_name(e.worker);
  }
  std::string operator()(const event::WorkerBroken& e) const {
    return "broken " + worker_name(e.worker) + " " + word(e.cause);
  }
  std::string operator()(const event::WorkerExited& e) const {
    return "exited " + worker_name(e.worker) + " " + word(e.cause) + " " + std::to_string(e.code) +
           (e.running != 0 ? " in token " + text(e.running % 10000) : "");
  }
  std::string operator()(const event::AttemptAnswered& e) const {
    return "answered " + worker_name(e.worker) + " " + key_text(e.key) + " " + word(e.outcome) +
           (e.out_of_memory ? " out of memory" : "") + (e.ungiven ? " ungiven" : "") +
           (e.no_room ? " no room" : "");
  }
  std::string operator()(const event::AttemptProgressed& e) const {
    return "progressed " + worker_name(e.worker) + " " + key_text(e.key);
  }
  std::string operator()(const event::AttemptCheckpointed& e) const {
    return "checkpointed " + worker_name(e.worker) + " " + key_text(e.key) + " bytes " +
           text(e.bytes);
  }
  std::string operator()(const event::RecallAnswered& e) const {
    return "recall-answered " + worker_name(e.worker) + " " + key_text(e.key) +
           (e.returned ? " returned" : " runs");
  }
  std::string operator()(const event::Persisted& e) const {
    return "persisted through " + text(e.through.value);
  }
  std::string operator()(const event::StoreState& e) const {
    return e.accepting ? "store accepts" : e.undone ? "store refuses, undone" : "store refuses";
  }
  std::string operator()(const event::WallStepped& e) const {
    return "wall stepped to " + std::to_string(e.wall.ns);
  }
  std::string operator()(const event::Listen& e) const { return e.to_tasks ? "listen" : "deaf"; }
  std::string operator()(const event::WorkerRegistered& e) const {
    return "registers " + text(e.registration.value) + " class " + text(e.worker_class.value);
  }
  std::string operator()(const event::WorkerLeaving& e) const {
    return "leaving " + worker_name(e.worker);
  }
  std::string operator()(const event::WorkerObserved& e) const {
    return "observed " + worker_name(e.worker) + " " + word(e.motion) +
           (e.printed ? " printed" : "");
  }
  std::string operator()(const event::Outlived& e) const {
    return "outlived " + task_name(e.task) + (e.over ? " over" : "");
  }
  std::string operator()(const event::LoopLate& e) const {
    return "loop-late " + text(static_cast<std::uint64_t>(e.by.ns / 1'000'000)) + " ms";
  }
  std::string operator()(const event::Tick&) const { return "tick"; }
};

struct RecordText {
  std::string operator()(const record::Accepted& r) const {
    return "accepted " + task_name(r.task) + " bytes " + text(r.spec.payload_bytes);
  }
  std::string operator()(const record::Started& r) const {
    return "started " + task_name(r.task) + " a" + text(r.attempt);
  }
  std::string operator()(const record::Ended& r) const {
    return "ended " + task_name(r.task) + " r" + text(r.round) + " a" + text(r.attempt) + " " +
           word(r.cause) + " charge " + word(r.charge) + used_text(r.used) + " wait " +
           span(r.eligible_at - r.at) + (r.suspect ? " suspect" : "") + (r.held ? " held" : "") +
           (r.bound == kNoClass ? "" : " bound to class " + text(r.bound.value));
  }
  std::string operator()(const record::Settled& r) const {
    return "settled " + task_name(r.task) + " r" + text(r.round) + " a" + text(r.attempt) + " " +
           word(r.verdict) + " " + word(r.cause) + " charge " + word(r.charge) + used_text(r.used);
  }
  std::string operator()(const record::Revived& r) const {
    return "revived " + task_name(r.task) + " r" + text(r.round);
  }
  std::string operator()(const record::Released& r) const {
    return "released " + task_name(r.task);
  }
  std::string operator()(const record::Kept& r) const { return "kept " + task_name(r.task); }
  std::string operator()(const record::Checkpointed& r) const {
    return "checkpointed " + task_name(r.task) + " a" + text(r.attempt) + " bytes " + text(r.bytes);
  }
  std::string operator()(const record::Removed& r) const {
    return (r.archived ? "archived " : "removed ") + task_name(r.task);
  }
  std::string operator()(const record::Paused& r) const {
    return std::string(r.paused ? "paused " : "resumed ") + target_text(r.target);
  }
};

std::string_view notice_name(Notice notice) {
  for (const auto& row : kNoticeRows) {
    if (row.notice == notice) return row.name;
  }
  return "unknown";
}

struct CommandText {
  std::string operator()(const command::Accepted& c) const {
    return "accepted " + asked(c.client, c.request) + " " + task_name(c.task) +
           (c.duplicate ? " duplicate" : "");
  }
  std::string operator()(const command::Refused& c) const {
    return "refused " + asked(c.client, c.request) + " " + word(c.code);
  }
  std::string operator()(const command::Cancelled& c) const {
    return "cancelled " + asked(c.client, c.request) + " " + task_name(c.task) + " " +
           word(c.rung) + (c.kept ? "" : " not kept");
  }
  std::string operator()(const command::Completed& c) const {
    return "completed " + asked(c.client, c.request) + " " + text(c.before) + " " + text(c.after);
  }
  std::string operator()(const command::Spawn& c) const {
    return "spawn " + worker_name(c.worker) + " class " + text(c.worker_class.value) + " home " +
           text(c.home.value) +
           (c.recovery.attempt == 0
                ? ""
                : " " + word(c.recovery.strategy) + " after " + word(c.recovery.cause) + ", try " +
                      text(c.recovery.attempt));
  }
  std::string operator()(const command::Assign& c) const {
    return "assign " + worker_name(c.worker) + " " + key_text(c.key) + " type " +
           text(c.type.value);
  }
  std::string operator()(const command::CancelAttempt& c) const {
    return "cancel-attempt " + worker_name(c.worker) + " " + key_text(c.key) + " " + word(c.cause);
  }
  std::string operator()(const command::Recall& c) const {
    return "recall " + worker_name(c.worker) + " " + key_text(c.key);
  }
  std::string operator()(const command::AskCheckpoint& c) const {
    return "ask-checkpoint " + worker_name(c.worker) + " " + key_text(c.key);
  }
  std::string operator()(const command::Retire& c) const {
    return "retire " + worker_name(c.worker);
  }
  std::string operator()(const command::EndWorker& c) const {
    return std::string(c.force == command::Force::Kill ? "kill " : "term ") +
           worker_name(c.worker) + " " + word(c.cause);
  }
  std::string operator()(const command::Persist& c) const {
    return "persist " + text(c.number.value) + ": " + std::visit(RecordText{}, c.record);
  }
  std::string operator()(const command::Archive& c) const {
    return "archive " + task_name(c.task) + " r" + text(c.round);
  }
  std::string operator()(const command::Announce& c) const {
    return "announce " + task_name(c.task) + " r" + text(c.round) + " " + word(c.verdict);
  }
  std::string operator()(const command::Notify& c) const {
    return "notify " + std::string(notice_name(c.notification.notice)) + " " +
           task_name(c.notification.task) + " " + worker_name(c.notification.worker);
  }
  std::string operator()(const command::Admit& c) const {
    return "admit " + text(c.registration.value) + " as " + worker_name(c.worker) + " class " +
           text(c.worker_class.value) + " home " + text(c.home.value);
  }
  std::string operator()(const command::TurnAway& c) const {
    return "turn away " + text(c.registration.value) + " " + word(c.code);
  }
  std::string operator()(const command::Disown& c) const {
    return "disown " + worker_name(c.worker);
  }
  std::string operator()(const command::Finished& c) const {
    return "finished, lost " + text(c.lost);
  }
};

}  // namespace

std::string describe(const Event& event) { return std::visit(EventText{}, event); }

std::string describe(const Record& record) { return std::visit(RecordText{}, record); }

std::string describe(const Command& command) { return std::visit(CommandText{}, command); }

std::string describe(Instant now) {
  std::array<char, 40> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%lld.%09lld",
                static_cast<long long>(now.ns / 1'000'000'000),
                static_cast<long long>(now.ns % 1'000'000'000));
  return buffer.data();
}

std::string task_name(TaskId task) {
  return std::to_string(task.value >> 40) + "." + std::to_string(task.value & ((1ULL << 40) - 1));
}

std::string worker_name(WorkerId worker) {
  return std::to_string(worker.value & 0xffff) + "#" + std::to_string(worker.value >> 16);
}

}  // namespace warmpool
