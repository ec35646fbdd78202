// Only what the daemon said is used; it is not asked to judge, so a look changes nothing. Order of
// the rules: what holds the task itself, then what holds its type, then workers, then the queue.
#include "client/cli/why_reasons.hpp"

#include <algorithm>

#include "client/cli/members.hpp"

namespace warmpool::cli {

namespace {

using nlohmann::json;

const json& list_of(const json& object, const char* name) {
  static const json none = json::array();
  const auto found = object.find(name);
  return found != object.end() && found->is_array() ? *found : none;
}

const json& named(const json& rows, const std::string& name) {
  static const json none = json::object();
  const auto found =
      std::ranges::find_if(rows, [&](const json& row) { return text_of(row, "name") == name; });
  return found == rows.end() ? none : *found;
}

bool has(const json& list, const std::string& text) {
  return std::ranges::any_of(list, [&](const json& each) { return each == text; });
}

std::string count_text(std::uint64_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string id_of(const Look& look) { return std::to_string(number_of(look.task, "id")); }

// --- the task itself ---

void judge_later_state(const Look& look, const std::string& state, std::vector<Reason>& reasons) {
  if (state == "delayed") {
    const json& attempts = list_of(look.task, "attempts");
    const std::string after = attempts.empty()
                                  ? "it was submitted for later"
                                  : "it waits before its next attempt (the last ended as " +
                                        text_of(attempts.back(), "cause") + ")";
    reasons.push_back({"delayed", after + ": until " + text_of(look.task, "eligible_at"),
                       "that time, or: warmpool cancel " + id_of(look)});
  } else if (state == "held") {
    reasons.push_back(
        {"manual", "its handler held it for a person", "warmpool release " + id_of(look)});
  }
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

void judge_state(const Look& look, std::vector<Reason>& reasons) {
  const std::string state = text_of(look.task, "state");
  if (state != "recording") {
    judge_later_state(look, state, reasons);
  } else if (const json* process = outlived_by(look)) {
    reasons.push_back({"outlived",
                       "it may still run in process " + std::to_string(number_of(*process, "pid")) +
                           ", a worker of an earlier life of the daemon",
                       "that process ends or joins again; by " +
                           text_of(look.status["outlived"], "until") + " at the latest"});
  } else {
    const json& store = look.status.contains("store") ? look.status["store"] : json::object();
    const std::string trouble = text_of(store, "trouble");
    reasons.push_back({"recording",
                       trouble.empty() ? "its last record is on its way to the disk"
                                       : "the store cannot write: " + trouble,
                       trouble.empty() ? "the next sync of the store, in a moment"
                                       : "room on the disk, or what the text names"});
  }
}

void judge_suspect(const Look& look, std::vector<Reason>& reasons) {
  if (!has(list_of(look.task, "holds"), "suspect")) return;
  reasons.push_back({"suspect",
                     "it may have killed a worker, so it runs next alone and needs one that has "
                     "nothing else in hand",
                     "a worker that becomes empty; one is kept for it"});
}

// --- its type and classes ---

void judge_pause(const Look& look, const json& type, std::vector<Reason>& reasons) {
  const std::string by = text_of(type, "paused_by");
  const std::string name = text_of(look.task, "type");
  if (by == "type") {
    reasons.push_back({"paused", "the type " + name + " is paused", "warmpool resume " + name});
  } else if (by == "class") {
    const json& classes = list_of(type, "classes");
    const std::string first = classes.empty() ? "" : classes.front().get<std::string>();
    reasons.push_back({"paused", "every class that serves " + name + " is paused",
                       "warmpool resume --class " + first});
  } else if (by == "pool") {
    reasons.push_back({"paused", "the whole pool is paused", "warmpool resume"});
  }
}

struct Hands {
  std::uint64_t all = 0, ready = 0, busy = 0, ill = 0;
};

Hands hands_of(const Look& look, const json& classes) {
  Hands hands;
  for (const json& row : list_of(look.workers, "workers")) {
    if (!has(classes, text_of(row, "class"))) continue;
    ++hands.all;
    const std::string state = text_of(row, "state"), health = text_of(row, "health");
    const bool works = state == "ready" || state == "running";
    const bool well = works && health != "stopped" && health != "unresponsive";
    hands.ill += well ? 0U : 1U;
    hands.ready += well && state == "ready" ? 1U : 0U;
    hands.busy += well && state == "running" ? 1U : 0U;
  }
  return hands;
}

std::string names_of(const json& classes) {
  std::string names;
  for (const json& name : classes) names += (names.empty() ? "" : ", ") + name.get<std::string>();
  return names;
}

// Of a class that people's own workers brought none can be started here.
std::string more_of(const Look& look, const std::string& name) {
  const json& its = named(list_of(look.status, "classes"), name);
  const auto brought = its.find("brought");
  if (brought == its.end() || *brought != true) return "warmpool scale +1 --class " + name;
  return "one more: warmpool-worker --connect --class " + name + " --types " +
         text_of(look.task, "type");
}

void judge_workers(const Look& look, const json& type, std::vector<Reason>& reasons) {
  const json& classes = list_of(type, "classes");
  if (classes.empty()) {
    reasons.push_back({"capability",
                       "no class of workers serves the type " + text_of(look.task, "type"),
                       "a class with it in its types, then: warmpool types"});
    return;
  }
  const Hands hands = hands_of(look, classes);
  if (hands.ready + hands.busy == 0) {
    const std::string what =
        hands.all == 0 ? "has no workers"
                       : "has " + count_text(hands.all, "worker") + ", and none that can take work";
    reasons.push_back({"no-worker", "class " + names_of(classes) + " " + what,
                       hands.all == 0 ? more_of(look, classes.front().get<std::string>())
                                      : "see why with: warmpool workers; try again at once with: "
                                        "warmpool restart --all"});
  } else if (hands.ready == 0) {
    const std::uint64_t waiting = number_of(type, "waiting");
    reasons.push_back(
        {"busy",
         "all " + count_text(hands.busy, "worker") + " of class " + names_of(classes) +
             " are at work, and " + std::to_string(waiting) + " of its type wait (priority " +
             std::to_string(number_of(look.task, "priority")) + ")",
         "a worker that becomes free, or " + more_of(look, classes.front().get<std::string>()) +
             "; a smaller priority number goes first"});
  } else {
    reasons.push_back({"next", "a worker is free and it is about to be given to one",
                       "nothing is needed; look again"});
  }
}

}  // namespace

std::vector<Reason> reasons_of(const Look& look) {
  std::vector<Reason> reasons;
  judge_state(look, reasons);
  if (text_of(look.task, "state") != "ready") return reasons;
  judge_suspect(look, reasons);
  const json& type = named(list_of(look.types, "types"), text_of(look.task, "type"));
  judge_pause(look, type, reasons);
  if (reasons.empty()) judge_workers(look, type, reasons);
  return reasons;
}

}  // namespace warmpool::cli
