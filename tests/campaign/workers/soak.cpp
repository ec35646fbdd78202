// Kinds of the campaign of worker faults, in one daemon that has to live through all of them: what
// one of them leaves behind adds up here. They are dealt like cards, so that each comes as often as
// the others. What has a bound is full after a quarter of the time; after that the daemon must not
// grow.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <map>
#include <poll.h>
#include <random>
#include <sstream>

#include "tests/campaign/campaigns.hpp"
#include "tests/campaign/figure_book.hpp"
#include "tests/campaign/workers/kind.hpp"
#include "tests/campaign/workers/process_table.hpp"

namespace warmpool::campaign {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kGrowthKib = 4'096;
// Nothing is full yet where each fault comes but once.
constexpr std::uint64_t kGrowthOfOneRoundKib = 16'384;

// Those of one victim at a time which want nothing of their daemon that the others do not bear.
constexpr std::array<std::string_view, 13> kDealt{"W01", "W02", "W03", "W04", "W06", "W07", "W09",
                                                  "W11", "W12", "W14", "W15", "W17", "W24"};

// Those that want one victim alone: what they wait for, another one would do.
constexpr std::array<std::string_view, 1> kAlone{"W11"};
// One fault of a worker in this time is what its uptime is meant for.
constexpr double kSecondsBetween = 1'000;

std::uint64_t victims_of(const Plan& plan) {
  return plan.every_s == 0 ? 1 : plan.workers == 0 ? 4 : plan.workers;
}

Terms soak_terms(std::uint64_t victims) {
  const auto size = std::to_string(victims);
  return {.options =
              "heartbeat_interval = \"300ms\"\nunresponsive_after = \"1s\"\ndead_after = \"3s\"\n"
              "sample_interval = \"50ms\"\ncancel_grace = \"200ms\"\nterm_grace = \"300ms\"\n"
              "results_max = 500\nkeys_max = 500\nevents_max = 1000\n",
          .victims = "size = " + size + "\nsize_min = 1\nsize_max = " +
                     std::to_string(std::max<std::uint64_t>(8, victims)) + "\n" + memory_terms(),
          .mass = true};
}

bool is_dealt(const Kind& kind) {
  const bool by_number = std::find(kDealt.begin(), kDealt.end(), kind.id) != kDealt.end();
  const auto wants = [&](const char* option) {
    return kind.terms.victims.find(option) != std::string::npos;
  };
  return by_number && !wants("memory_growth") && !wants("pids_max") && !kind.terms.without_cgroups;
}

// Without those that this machine cannot show.
Kinds deck_for(Trial& trial, std::uint64_t victims) {
  Kinds deck;
  const bool cgroups = trial.has_cgroup();
  for (auto& kind : all_kinds()) {
    const bool alone = std::find(kAlone.begin(), kAlone.end(), kind.id) != kAlone.end();
    if (alone && victims > 1) continue;
    if (is_dealt(kind) && (cgroups || kind.needs != Needs::Cgroup)) deck.push_back(std::move(kind));
  }
  return deck;
}

struct Soak {
  std::uint64_t rounds = 0, quarter_kib = 0, end_kib = 0, dealt = 0;
  double seconds = 0;
  nlohmann::json recovery{};                      // as the daemon says
  std::map<std::string, std::uint64_t> faults{};  // by number
};

std::uint64_t rss_kib_of(Trial& trial) { return footprint_of(trial.daemon().pid()).rss_kib; }

// The next worker in turn, when its time has come. All have been of use by then, so that whoever
// dies is replaced at once.
void take_turn(Trial& trial, const Plan& plan, Soak& soak, Clock::time_point begin) {
  const auto victims = victims_of(plan);
  const auto turn = soak.dealt++;
  if (plan.every_s == 0) return;
  const auto since = std::chrono::milliseconds(turn * plan.every_s * 1'000 / victims);
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(since - (Clock::now() - begin));
  if (left.count() > 0) ::poll(nullptr, 0, static_cast<int>(left.count()));
  std::vector<std::size_t> tasks;
  for (std::uint64_t i = 0; i < victims; ++i) tasks.push_back(trial.sender().submit("work", "50"));
  for (const auto task : tasks) trial.sender().settled(task);
  trial.aim_at("victim-" + std::to_string(turn % victims));
}

// Blocks: for the minutes, and until a round is over.
Soak deal(Trial& trial, const Plan& plan) {
  Soak soak;
  std::mt19937_64 chance(plan.seed);
  auto deck = deck_for(trial, victims_of(plan));
  const auto time = std::chrono::minutes(plan.minutes);
  const auto begin = Clock::now();
  const auto passed = [&] { return Clock::now() - begin; };
  do {
    std::shuffle(deck.begin(), deck.end(), chance);
    for (const auto& kind : deck) {
      if (soak.rounds > 0 && passed() >= time) break;
      take_turn(trial, plan, soak, begin);
      kind.run(trial, 1);
      ++soak.faults[kind.id];
    }
    trial.figures().more.clear();
    if (soak.quarter_kib == 0 && plan.minutes > 0 && passed() >= time / 4) {
      soak.quarter_kib = rss_kib_of(trial);
    }
    if (soak.rounds++ % 10 == 0) {
      progress("soak, round " + std::to_string(soak.rounds) + ": daemon " +
               std::to_string(rss_kib_of(trial)) + " KiB");
    }
  } while (passed() < time);
  soak.end_kib = rss_kib_of(trial);
  soak.seconds = std::chrono::duration<double>(passed()).count();
  soak.recovery = trial.status().value("recovery", nlohmann::json::object());
  return soak;
}

void judge_growth(Trial& trial, const Plan& plan, Soak& soak, std::uint64_t began_kib) {
  if (soak.quarter_kib == 0) soak.quarter_kib = began_kib;
  const auto bound = plan.minutes > 0 ? kGrowthKib : kGrowthOfOneRoundKib;
  if (soak.end_kib <= soak.quarter_kib + bound) return;
  trial.wrong("the daemon grew from " + std::to_string(soak.quarter_kib) + " to " +
              std::to_string(soak.end_kib) + " KiB");
}

// From outside: a worker is not there from its fault until the next one says hello.
struct Uptime {
  double seen = 1, at_one_in_1000_s = 1;
};

Uptime uptime_of(const Plan& plan, const Soak& soak, const Figures& seen) {
  const double wanted = soak.seconds * static_cast<double>(victims_of(plan));
  if (wanted <= 0 || seen.ready.count() == 0) return {};
  const double down = seen.ready.sum() / 1e3;
  return {1 - down / wanted, 1 - down / static_cast<double>(seen.ready.count()) / kSecondsBetween};
}

std::string percent_of(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", 100 * share);
  return text;
}

// `taken`: see FigureRow.
void judge_uptime(Report& report, const Plan& plan, const Soak& soak, const Figures& seen,
                  const std::string& taken) {
  constexpr double kLeast = 0.999;
  constexpr std::uint64_t kFew = 100;
  const auto uptime = uptime_of(plan, soak, seen);
  const auto daemons = soak.recovery.value("worker_uptime", nlohmann::json());
  report.row("workers with faults", victims_of(plan));
  report.row("a fault of each, s", plan.every_s);
  report.row("uptime seen, %", percent_of(uptime.seen));
  report.row("uptime with a fault of each in 1,000 s, %", percent_of(uptime.at_one_in_1000_s));
  report.row("uptime as the daemon says, from death to hello, %",
             daemons.is_number() ? percent_of(daemons.get<double>()) : "-");
  const bool met = uptime.at_one_in_1000_s >= kLeast;
  if (!met) report.violation("the uptime is " + percent_of(uptime.at_one_in_1000_s) + " %");
  FigureBook book(plan.out);
  book.put("uptime of a worker with a fault each 1,000 s, %",
           {.n = std::to_string(seen.runs),
            .most = percent_of(uptime.at_one_in_1000_s),
            .met = !met                ? Met::No
                   : seen.runs >= kFew ? Met::Yes
                                       : Met::TooFew,
            .taken = taken});
  book.save();
}

std::string dealt_text(const Soak& soak) {
  std::ostringstream text;
  for (const auto& [id, count] : soak.faults) {
    text << (text.tellp() > 0 ? ", " : "") << id << " " << count;
  }
  return text.str();
}

void tell_soak(Report& report, const Plan& plan, const Soak& soak, const Figures& seen) {
  report.row("minutes", plan.minutes);
  report.row("faults", seen.runs);
  report.row("runs by number", dealt_text(soak));
  report.row("detected", seen.detected);
  report.row("recovered without a person", seen.recovered);
  report.row("cause right", seen.cause_right);
  report.row("healthy workers killed", seen.healthy_killed);
  report.row("survivors", seen.survivors);
  report.row("tasks", seen.tasks);
  report.row("workers started", seen.spawned);
  report.row("tasks of others, ms", seen.others.text());
  report.row("descriptors more than before", std::to_string(seen.descriptors_more));
  report.row("memory files more than before", std::to_string(seen.shared_more));
  report.row("zombies left", seen.zombies);
  report.row(plan.minutes > 0 ? "daemon after a quarter, KiB" : "daemon at the begin, KiB",
             soak.quarter_kib);
  report.row("daemon at the end, KiB", soak.end_kib);
}

}  // namespace

int soak_campaign(const Plan& plan) {
  Report report("Soak: one daemon, mixed faults of workers");
  Figures figures;
  Soak soak;
  const auto taken = load_text() + ", --every " + std::to_string(plan.every_s);
  {
    Trial trial("soak", soak_terms(victims_of(plan)), figures, report);
    if (trial.up() && trial.await_ready("victim", victims_of(plan))) {
      trial.be_useful();
      trial.take_baseline();
      const auto began_kib = rss_kib_of(trial);
      soak = deal(trial, plan);
      judge_growth(trial, plan, soak, began_kib);
    } else {
      trial.wrong("its workers did not come up");
    }
    trial.conclude(plan.out);
  }
  if (figures.recovered != figures.runs) report.violation("not every fault was recovered from");
  tell_soak(report, plan, soak, figures);
  if (plan.every_s > 0) judge_uptime(report, plan, soak, figures, taken);
  return report.publish(plan.out, "soak");
}

}  // namespace warmpool::campaign
