// Workers are told apart by what keeps them from the task: they die, start, are ill, are at work,
// are kept for another.
#include "client/cli/why_workers.hpp"

#include <algorithm>
#include <optional>

#include "client/cli/format.hpp"
#include "client/cli/members.hpp"

namespace warmpool::cli {

namespace {

using nlohmann::json;

std::string count_text(std::uint64_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

struct Hands {
  std::uint64_t all = 0, free = 0, reserved = 0, busy = 0, starting = 0, waiting = 0, ill = 0;
  double busy_longest = 0;           // seconds
  std::optional<double> next_start;  // seconds
  std::string held;                  // by the breaker over its recovery: a class of those that wait
  bool probing = false;              // that breaker lets one try
  std::uint64_t unfit = 0;           // places of unfit_class whose start waits for memory
  std::string unfit_class;
};

void add(const json& row, Hands& hands) {
  const std::string state = text_of(row, "state"), health = text_of(row, "health");
  if (state == "held" && text_of(row, "id").ends_with(".new")) return;  // the place has a worker
  ++hands.all;
  const bool well = health != "stopped" && health != "unresponsive" && health != "unhealthy";
  if (state == "held") {
    const std::string its = text_of(row, "class");
    if (hands.unfit == 0) hands.unfit_class = its;
    if (hands.unfit_class == its) ++hands.unfit;
  } else if (state == "starting") {
    ++hands.starting;
  } else if (state == "backoff" || state == "failed") {
    ++hands.waiting;
    const json& next = row.value("next_start_seconds", json());
    if (!next.is_number()) return;
    hands.next_start = std::min(hands.next_start.value_or(next), next.get<double>());
  } else if (state == "ready" && well) {
    ++(row.value("reserved", json(false)) == true ? hands.reserved : hands.free);
  } else if (state == "running" && well) {
    ++hands.busy;
    hands.busy_longest = std::max(hands.busy_longest, real_of(row, "current_seconds"));
  } else {
    ++hands.ill;
  }
}

// Those of a class that is paused are given nothing.
Hands hands_of(const Look& look, const json& classes) {
  Hands hands;
  for (const json& row : list_of(look.workers, "workers")) {
    const std::string name = text_of(row, "class");
    if (!has(classes, name)) continue;
    const json& its = named(list_of(look.status, "classes"), name);
    if (its.value("paused", json(false)) != true) add(row, hands);
    const std::string breaker = text_of(its.value("recovery", json::object()), "state");
    if (!breaker.empty() && breaker != "closed") hands.held = name;
    hands.probing = hands.probing || breaker == "half-open";
  }
  return hands;
}

std::string names_of(const json& classes) {
  std::string names;
  for (const json& name : classes) names += (names.empty() ? "" : ", ") + name.get<std::string>();
  return names;
}

std::string seconds_text(double seconds) {
  return short_duration(milliseconds(static_cast<std::int64_t>(seconds * 1'000)));
}

// Of a class that people's own workers brought none can be started here.
std::string more_of(const Look& look, const std::string& name) {
  const json& its = named(list_of(look.status, "classes"), name);
  if (its.value("brought", json(false)) != true) return "warmpool scale +1 --class " + name;
  return "one more: warmpool-worker --connect --class " + name + " --types " +
         text_of(look.task, "type");
}

// The daemon counts no further than ten thousand.
std::string before_text(const Look& look) {
  constexpr std::uint64_t counted_max = 10'000;
  const std::uint64_t before = number_of(look.task, "before");
  const std::string priority =
      " (priority " + std::to_string(number_of(look.task, "priority")) + ")";
  if (before == 0) return "it is the next" + priority;
  return (before >= counted_max ? "at least " : "") + count_text(before, "task") +
         (before == 1 ? " comes" : " come") + " before it" + priority;
}

Reason busy(const Look& look, const Hands& hands, const std::string& names,
            const std::string& first) {
  std::string detail = "all " + count_text(hands.busy, "worker") + " of class " + names +
                       " are at work, the longest for " + seconds_text(hands.busy_longest) + "; " +
                       before_text(look);
  return {Rule::Busy, std::move(detail),
          "a worker that becomes free, or " + more_of(look, first) +
              "; a smaller priority number goes first"};
}

Reason held_back(const Look& look, const std::string& whole, const Hands& hands) {
  const json& its = named(list_of(look.status, "classes"), hands.held);
  const json breaker = its.value("recovery", json::object());
  const std::string probe = text_of(breaker, "next_probe");
  return {Rule::Recovery,
          whole +
              ", and none that can take work: their replacements kept dying, so that none of "
              "class " +
              hands.held + " is started (" + text_of(breaker, "why") + ")",
          (probe.empty() ? "one tries now, and the others start when it works"
                         : "one tries at " + probe + ", and the others start when it works") +
              ", or at once: warmpool restart --class " + hands.held};
}

Reason unfit(const Look& look, const Hands& hands) {
  const json& its = named(list_of(look.status, "classes"), hands.unfit_class);
  const json memory = look.status.value("memory", json::object());
  const std::uint64_t total = number_of(memory, "total_bytes");
  const std::uint64_t declared = number_of(memory, "declared_bytes");
  const std::uint64_t need = number_of(its, "memory_declared_bytes");
  return {Rule::Memory,
          count_text(hands.unfit, "place") + " of class " + hands.unfit_class +
              (hands.unfit == 1 ? " waits" : " wait") + " to start: each needs " +
              short_bytes(need) + " (memory_declared), and workers that live have " +
              short_bytes(declared) + " of " + short_bytes(total) + " (memory_total)" +
              (declared + need <= total ? "; that room is kept for one that waits longer" : ""),
          "a worker that ends makes room, as by a smaller size of another class (warmpool scale); "
          "or raise memory_total, or lower memory_declared, then send the daemon SIGHUP"};
}

Reason none_works(const Look& look, const Hands& hands, const std::string& names,
                  const std::string& first) {
  const std::string whole = "class " + names + " has " + count_text(hands.all, "worker");
  if (hands.all == 0) {
    return {Rule::NoWorker, "class " + names + " has no workers", more_of(look, first)};
  }
  const bool tries = hands.probing && hands.unfit != 0;
  if (!hands.held.empty() && !tries) return held_back(look, whole, hands);
  if (hands.starting == 0 && hands.unfit != 0) return unfit(look, hands);
  if (hands.starting != 0) {
    return {Rule::Starting,
            whole + ", and none that is ready; starting: " + std::to_string(hands.starting),
            "their hello, within start_timeout; see: warmpool workers"};
  }
  if (hands.waiting != 0) {
    const std::string next = hands.next_start ? ", the next in " + seconds_text(*hands.next_start)
                                              : ", none by itself (automatic_restart is off)";
    return {Rule::Restarting,
            whole + ", and none that can take work; died and to be started again: " +
                std::to_string(hands.waiting) + next,
            "that start, or at once: warmpool restart --class " + first +
                "; see why with: warmpool workers"};
  }
  return {
      Rule::NoWorker,
      whole + ", and none that can take work: they are stopped, silent, unhealthy or about to end",
      "see why with: warmpool workers; replace them with: warmpool restart --all"};
}

// What it was given there and what it gets here, of what it died for.
std::string limits_text(const json& bound, const json& after) {
  if (text_of(after, "cause") == "timeout") {
    return "the timeout there " + seconds_text(real_of(after, "timeout_seconds")) + ", here " +
           seconds_text(real_of(bound, "timeout_seconds"));
  }
  const auto most = [](const json& limits) {
    const std::uint64_t bytes = number_of(limits, "memory_max_bytes");
    return bytes == 0 ? std::string("no limit") : short_bytes(bytes);
  };
  return "memory there at most " + most(after) + ", here " + most(bound);
}

}  // namespace

std::string bound_class(const Look& look) {
  return text_of(object_of(look.task, "bound"), "class");
}

std::string bound_text(const Look& look) {
  const json& bound = object_of(look.task, "bound");
  const json& after = object_of(bound, "after");
  const std::string goes = "its next attempt goes to class " + bound_class(look) + " alone";
  if (after.empty()) return goes;
  return goes + ", because attempt " + std::to_string(number_of(after, "attempt")) + " ended as " +
         text_of(after, "cause") + " on " + text_of(after, "worker") + " (" +
         limits_text(bound, after) + ")";
}

json classes_of(const Look& look, const json& type) {
  const std::string bound = bound_class(look);
  return bound.empty() ? list_of(type, "classes") : json::array({bound});
}

void judge_workers(const Look& look, const json& type, std::vector<Reason>& reasons) {
  const std::string bound = bound_class(look);
  const json classes = classes_of(look, type);
  if (classes.empty()) {
    reasons.push_back({Rule::Capability,
                       "no class of workers serves the type " + text_of(look.task, "type"),
                       "a class with it in its types, then: warmpool types"});
    return;
  }
  const Hands hands = hands_of(look, classes);
  const std::string names = names_of(classes), first = classes.front().get<std::string>();
  if (hands.free != 0) {
    reasons.push_back({Rule::Next, "a worker is free and it is about to be given to one",
                       "nothing is needed; look again"});
  } else if (hands.reserved != 0) {
    reasons.push_back(
        {Rule::Reserved,
         "the only free worker of class " + names + " is kept for a task that must run alone",
         "another worker becomes free, or that task has run; see: warmpool ls "
         "--state ready"});
  } else if (hands.busy != 0) {
    if (hands.unfit != 0) reasons.push_back(unfit(look, hands));
    reasons.push_back(busy(look, hands, names, first));
  } else {
    reasons.push_back(none_works(look, hands, names, first));
  }
  if (!bound.empty()) reasons.back().detail += "; " + bound_text(look);
}

}  // namespace warmpool::cli
