// Only what the daemon said is used; it is not asked to judge, so a look changes nothing. Order of
// the rules: what holds the task itself, then what holds its type, then workers, then the queue.
#include "client/cli/why_reasons.hpp"

#include <algorithm>

#include "client/cli/format.hpp"
#include "client/cli/members.hpp"
#include "client/cli/why_workers.hpp"

namespace warmpool::cli {

namespace {

using nlohmann::json;
using Reasons = std::vector<Reason>;

std::string id_of(const Look& look) { return std::to_string(number_of(look.task, "id")); }

// --- the task itself ---

void judge_delay(const Look& look, Reasons& reasons) {
  const json& attempts = list_of(look.task, "attempts");
  const std::string until = "until " + text_of(look.task, "eligible_at");
  const std::string change = "that time, or: warmpool cancel " + id_of(look);
  if (attempts.empty()) {
    reasons.push_back({Rule::Delayed, "it was submitted for later: " + until, change});
    return;
  }
  reasons.push_back({Rule::Backoff,
                     "it waits before its next attempt (the last ended as " +
                         text_of(attempts.back(), "cause") + "): " + until +
                         (bound_class(look).empty() ? "" : "; " + bound_text(look)),
                     change});
}

// A process that an earlier life of the daemon had not started, and that may still run it.
const json* outlived_by(const Look& look) {
  const auto found = look.status.find("outlived");
  if (found == look.status.end()) return nullptr;
  for (const json& process : list_of(*found, "processes")) {
    const json& tasks = list_of(process, "tasks");
    if (std::ranges::count(tasks, json(number_of(look.task, "id"))) != 0) return &process;
  }
  return nullptr;
}

void judge_recording(const Look& look, Reasons& reasons) {
  if (const json* process = outlived_by(look)) {
    reasons.push_back({Rule::Outlived,
                       "it may still run in process " + std::to_string(number_of(*process, "pid")) +
                           ", a worker of an earlier life of the daemon",
                       "that process ends or joins again; by " +
                           text_of(look.status["outlived"], "until") + " at the latest"});
    return;
  }
  const json& store = object_of(look.status, "store");
  const std::string trouble = text_of(store, "trouble");
  const auto stalled = static_cast<std::uint64_t>(real_of(store, "stalled_ms"));
  if (!trouble.empty()) {
    reasons.push_back({Rule::Recording, "the store cannot write: " + trouble,
                       "room on the disk, or what the text names"});
  } else if (stalled >= 1'000) {
    reasons.push_back(
        {Rule::Recording,
         "the disk has been writing its last record for " + std::to_string(stalled / 1'000) + " s",
         "the disk answers; see: warmpool status"});
  } else {
    reasons.push_back({Rule::Recording, "its last record is on its way to the disk",
                       "the next sync of the store, in a moment"});
  }
}

// To the core it is assigned, to people it waits.
void judge_ahead(const Look& look, Reasons& reasons) {
  if (!look.task.contains("behind")) return;
  const std::string worker = text_of(look.task, "worker");
  const std::string other = std::to_string(number_of(look.task, "behind"));
  reasons.push_back({Rule::Ahead,
                     "it was given to " + worker + " ahead, and waits there behind task " + other,
                     "task " + other +
                         " ends; if it runs for recall_after, this one is taken back and may go to "
                         "another worker"});
}

void judge_state(const Look& look, Reasons& reasons) {
  const std::string state = text_of(look.task, "state");
  if (state == "running") return judge_ahead(look, reasons);
  if (state == "recording") return judge_recording(look, reasons);
  if (state == "delayed") return judge_delay(look, reasons);
  if (state == "held") {
    reasons.push_back({Rule::Manual, "its handler held it for a person",
                       "warmpool release " + id_of(look) + ", or: warmpool cancel " + id_of(look)});
  } else if (state == "blocked") {
    reasons.push_back({Rule::Dependency, "tasks that it depends on have not settled",
                       "they settle; see: warmpool show " + id_of(look)});
  }
}

void judge_stopping(const Look& look, Reasons& reasons) {
  const json& pool = object_of(look.status, "pool");
  if (pool.value("shutting_down", json(false)) != true) return;
  const bool durable = object_of(look.status, "store").value("durable", json(false)) == true;
  reasons.push_back({Rule::Stopping, "the pool stops and starts nothing any more",
                     durable && text_of(look.task, "durability") != "none"
                         ? "the next start of the daemon"
                         : "nothing: it is kept in memory only, and ends with the daemon"});
}

// Of the classes that may run it, the first; none where one of them runs fewer suspects than it
// may.
const json* full_of_suspects(const Look& look, const json& classes) {
  const json* first = nullptr;
  for (const json& name : classes) {
    const json& its = named(list_of(look.status, "classes"), name.get<std::string>());
    const std::uint64_t most = number_of(its, "suspects_max");
    if (most == 0 || number_of(its, "suspects") < most) return nullptr;
    if (first == nullptr) first = &its;
  }
  return first;
}

void judge_suspect(const Look& look, const json& classes, Reasons& reasons) {
  if (!has(list_of(look.task, "holds"), "suspect")) return;
  const std::string bound = bound_class(look).empty() ? "" : "; " + bound_text(look);
  if (const json* full = full_of_suspects(look, classes)) {
    const std::string name = text_of(*full, "name");
    const std::uint64_t running = number_of(*full, "suspects");
    reasons.push_back({Rule::SuspectTurn,
                       "it may have killed a worker, and class " + name + " runs " +
                           std::to_string(running) + (running == 1 ? " such task" : " such tasks") +
                           " now, which is as many as may at once (suspects_max = " +
                           std::to_string(number_of(*full, "suspects_max")) +
                           "); all else passes it" + bound,
                       "one of them ends, or a larger suspects_max of class " + name +
                           ", then send the daemon SIGHUP"});
    return;
  }
  reasons.push_back({Rule::Suspect,
                     "it may have killed a worker, so it runs next alone and needs one that has "
                     "nothing else in hand" +
                         bound,
                     "a worker that becomes empty; one is kept for it"});
}

// --- its type ---

void judge_pause(const Look& look, const json& type, Reasons& reasons) {
  const std::string by = text_of(type, "paused_by"), bound = bound_class(look);
  const std::string name = text_of(look.task, "type");
  const json& its = named(list_of(look.status, "classes"), bound);
  if (by == "type") {
    reasons.push_back({Rule::Paused, "the type " + name + " is paused", "warmpool resume " + name});
  } else if (by != "pool" && its.value("paused", json(false)) == true) {
    reasons.push_back({Rule::Paused, "the class " + bound + " is paused; " + bound_text(look),
                       "warmpool resume --class " + bound});
  } else if (by == "class") {
    const json& classes = list_of(type, "classes");
    const std::string first = classes.empty() ? "" : classes.front().get<std::string>();
    reasons.push_back({Rule::Paused, "every class that serves " + name + " is paused",
                       "warmpool resume --class " + first});
  } else if (by == "pool") {
    reasons.push_back({Rule::Paused, "the whole pool is paused", "warmpool resume"});
  }
}

// While some may run, it holds only those that find no room.
void judge_breaker(const Look& look, Reasons& reasons) {
  if (!has(list_of(look.task, "holds"), "breaker")) return;
  const std::string name = text_of(look.task, "type");
  const json& breaker = named(list_of(look.breakers, "breakers"), name);
  const std::string since =
      " since " + text_of(breaker, "since") + " (" + text_of(breaker, "why") + ")";
  const std::string by_hand = ", or: warmpool breaker close " + name;
  if (text_of(breaker, "state") == "open") {
    reasons.push_back({Rule::Breaker, "the circuit breaker of " + name + " is open" + since,
                       "it lets a few try at " + text_of(breaker, "next_probe") + by_hand});
    return;
  }
  const std::uint64_t at_once = number_of(breaker, "at_once");
  reasons.push_back({Rule::Breaker,
                     "the circuit breaker of " + name + " is " + text_of(breaker, "state") + since +
                         " and lets " + std::to_string(at_once) + " run at once",
                     "one of those ends; more may run when they succeed" + by_hand});
}

void judge_memory(const Look& look, const json& type, Reasons& reasons) {
  if (!has(list_of(look.task, "holds"), "memory")) return;
  const std::string name = text_of(look.task, "type");
  const json& memory = object_of(look.status, "memory");
  const std::uint64_t total = number_of(memory, "tasks_total_bytes");
  const std::uint64_t taken = number_of(memory, "tasks_bytes");
  if (!type.value("memory_need_bytes", json()).is_number()) {
    reasons.push_back({Rule::TaskMemory,
                       "what a run of " + name +
                           " needs of memory is not known yet (memory = learned), and until it is "
                           "one runs at a time",
                       "the one that runs has ended"});
    return;
  }
  const std::uint64_t need = number_of(type, "memory_need_bytes");
  const std::uint64_t runs = number_of(type, "memory_runs");
  const bool learned = text_of(type, "memory") == "learned";
  const std::string by = learned
                             ? "learned of " + std::to_string(runs) + (runs == 1 ? " run" : " runs")
                             : "memory of its type";
  const std::string kept = text_of(memory, "kept_for");
  std::string detail = "a run of " + name + " needs " + short_bytes(need) + " (" + by +
                       "), and tasks that run need " + short_bytes(taken) + " of " +
                       short_bytes(total) + " (memory_tasks_total)";
  if (kept == name) detail += "; what becomes free is kept for it";
  if (!kept.empty() && kept != name)
    detail += "; some is kept for " + kept + ", which waits longer";
  reasons.push_back({Rule::TaskMemory, std::move(detail),
                     "runs that end make room; or raise memory_tasks_total, or lower memory of the "
                     "type, then send the daemon SIGHUP"});
}

}  // namespace

std::vector<Reason> reasons_of(const Look& look) {
  Reasons reasons;
  judge_state(look, reasons);
  if (text_of(look.task, "state") != "ready") return reasons;
  judge_stopping(look, reasons);
  const json& type = named(list_of(look.types, "types"), text_of(look.task, "type"));
  judge_suspect(look, classes_of(look, type), reasons);
  judge_pause(look, type, reasons);
  judge_breaker(look, reasons);
  judge_memory(look, type, reasons);
  if (reasons.empty()) judge_workers(look, type, reasons);
  return reasons;
}

std::string elsewhere(const json& task) {
  const std::string state = text_of(task, "state");
  const auto* row = std::ranges::find(kElsewhereRows, state, &ElsewhereRow::state);
  if (row == kElsewhereRows.end()) return "it is " + state;
  std::string text(row->text);
  if (const std::string worker = text_of(task, "worker"); !worker.empty()) {
    text += " on " + worker;
    if (const auto since = text_of(task, "started_at"); !since.empty()) text += " since " + since;
  }
  if (const std::string cause = text_of(task, "cause"); state == "dead" && !cause.empty()) {
    text += " (" + cause + ")";
  }
  if (row->next.empty()) return text;
  return text + "; " + std::string(row->next) + " " + std::to_string(number_of(task, "id"));
}

}  // namespace warmpool::cli
