#include "tests/campaign/workers/aims.hpp"

#include <algorithm>

namespace warmpool::campaign {
namespace {

constexpr std::uint64_t kFaultsLeast = 2'000, kKillsOfOneWay = 100, kWaysOut = 8;
constexpr std::uint64_t kWornTasks = 100'000, kWornKills = 1'000;
constexpr double kTwoBeatsMs = 600;

Met met_if(bool holds) { return holds ? Met::Yes : Met::No; }
// What fails is seen in few, what holds is not.
Met met_if(bool holds, bool enough) { return holds && !enough ? Met::TooFew : met_if(holds); }

std::string decimals(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

class Aims {
 public:
  Aims(const std::vector<Seen>& all, std::string taken, FigureBook& book)
      : all_(all), taken_(std::move(taken)), book_(book) {}

  void put_sums() {
    put_recovery();
    put_healthy();
  }
  void put_each() {
    put_deaths();
    put_false_alarms();
    put_survivors(true);
    put_survivors(false);
    put_others(About::ForkStorm, "others while one forks all it can, times before at 99 %", 0);
    put_others(About::RestartStorm, "others while one dies at each start, times before at 99 %",
               1.1);
    put_starts();
    put_memory();
    put_wear();
  }

 private:
  std::vector<const Figures*> of(About about) const {
    std::vector<const Figures*> found;
    for (const auto& one : all_) {
      if (one.kind.about == about) found.push_back(&one.figures);
    }
    return found;
  }

  void put(const std::string& name, FigureRow row) {
    row.taken = taken_;
    book_.put(name, std::move(row));
  }

  void put_count(const std::string& name, std::uint64_t n, std::uint64_t count, bool enough) {
    put(name,
        {.n = std::to_string(n), .most = std::to_string(count), .met = met_if(count == 0, enough)});
  }

  // `percent`: which of them is held against `most_ms`; 0: none.
  void put_times(const std::string& name, const Times& times, double percent, double most_ms) {
    if (times.count() == 0) return;
    put(name, {.n = std::to_string(times.count()),
               .p50 = one_decimal(times.at_percent(50)),
               .p99 = one_decimal(times.at_percent(99)),
               .most = one_decimal(times.max()),
               .met = percent > 0 ? met_if(times.at_percent(percent) <= most_ms) : Met::NoAim});
  }

  void put_deaths() {
    Times seen, ready, hangs;
    for (const auto* one : of(About::Death)) {
      seen.add_all(one->seen);
      ready.add_all(one->ready);
    }
    for (const auto* one : of(About::Hang)) hangs.add_all(one->seen);
    put_times("crash seen, ms", seen, 99, 5);
    put_times("kill to replacement ready, ms", ready, 99, 100);
    put_times("hang seen after its deadline, ms", hangs, 100, kTwoBeatsMs);
  }

  void put_recovery() {
    std::uint64_t runs = 0, detected = 0, recovered = 0, right = 0;
    for (const auto& one : all_) {
      runs += one.figures.runs;
      detected += one.figures.detected;
      recovered += one.figures.recovered;
      right += one.figures.cause_right;
    }
    if (runs == 0) return;
    const bool enough = runs >= kFaultsLeast;
    put_count("faults undetected", runs, runs - std::min(runs, detected), enough);
    const double share = 100.0 * static_cast<double>(recovered) / static_cast<double>(runs);
    put("faults recovered from without a person",
        {.n = std::to_string(runs),
         .most = std::to_string(recovered) + ", " + decimals(share) + " %",
         .met = met_if(share >= 99.9, enough)});
    put("causes right", {.n = std::to_string(runs),
                         .most = std::to_string(right),
                         .met = met_if(right == runs, enough)});
  }

  void put_healthy() {
    std::uint64_t killed = 0, spawned = 0;
    for (const auto& one : all_) {
      killed += one.figures.healthy_killed;
      spawned += one.figures.spawned;
    }
    put_count("healthy workers killed, of all", spawned, killed, true);
  }

  void put_false_alarms() {
    std::uint64_t starved = 0;
    const auto all = of(About::FalseAlarm);
    for (const auto* one : all) starved += one->healthy_killed;
    if (all.empty()) return;
    put_count("healthy workers killed: no time, no disk, a held lock", all.size(), starved, true);
  }

  void put_survivors(bool in_cgroups) {
    std::uint64_t kills = 0, ways = 0, survivors = 0;
    Times gone;
    for (const auto about : {About::Escape, About::ForkStorm}) {
      for (const auto* one : of(about)) {
        if (one->in_cgroups != in_cgroups) continue;
        ways += one->runs >= kKillsOfOneWay ? 1U : 0U;
        kills += one->runs;
        survivors += one->survivors;
        gone.add_all(one->gone);
      }
    }
    if (kills == 0) return;
    const std::string where = in_cgroups ? ", with cgroups" : ", without cgroups";
    put_count("survivors of a kill" + where, kills, survivors, ways >= kWaysOut);
    put_times("kill until all are gone" + where + ", ms", gone, in_cgroups ? 99 : 0, 20);
  }

  // `most`: 0: there is no aim.
  void put_others(About about, const std::string& name, double most) {
    Times during, before;
    for (const auto* one : of(about)) {
      if (one->others_before.count() == 0) continue;
      during.add_all(one->others);
      before.add_all(one->others_before);
    }
    const double ratio = ratio_at_99(during, before);
    if (ratio <= 0) return;
    constexpr std::size_t kFew = 1'000;
    const bool enough = during.count() >= kFew && before.count() >= kFew;
    const std::string p99 = decimals(ratio) + " (" + one_decimal(during.at_percent(99)) + " by " +
                            one_decimal(before.at_percent(99)) + " ms)";
    const Met met = most <= 0 ? Met::NoAim : !enough ? Met::TooFew : met_if(ratio <= most);
    put(name, {.n = std::to_string(during.count()), .p99 = p99, .met = met});
  }

  void put_starts() {
    for (const auto* one : of(About::RestartStorm)) {
      put("starts a minute of one that dies at each", {.n = std::to_string(one->runs),
                                                       .most = std::to_string(one->starts_a_minute),
                                                       .met = met_if(one->starts_a_minute <= 10)});
    }
  }

  void put_memory() {
    Times over;
    for (const auto* one : of(About::HardLimit)) over.add_all(one->over);
    put_times("four times memory_hard to its end, defaults, ms", over, 100, 1'000);
  }

  void put_wear() {
    for (const auto* one : of(About::Wear)) {
      const bool enough = one->worn_tasks >= kWornTasks && one->worn_kills >= kWornKills;
      const auto left =
          one->descriptors_more + one->shared_more + static_cast<std::int64_t>(one->zombies);
      put("left of 100,000 tasks and 1,000 kills: descriptors, zombies, memory files",
          {.n = std::to_string(one->worn_tasks) + " and " + std::to_string(one->worn_kills),
           .most = std::to_string(left),
           .met = met_if(left == 0, enough)});
      put("daemon grown in the second half of those, KiB",
          {.n = std::to_string(one->worn_tasks) + " and " + std::to_string(one->worn_kills),
           .most = std::to_string(one->grown_kib),
           .met = enough ? met_if(one->grown_kib < 1'024) : Met::TooFew});
    }
  }

  const std::vector<Seen>& all_;
  std::string taken_;
  FigureBook& book_;
};

}  // namespace

void put_figures(const std::vector<Seen>& all, bool are_all, const std::string& taken,
                 FigureBook& book) {
  Aims(all, taken, book).put_each();
  if (are_all) Aims(all, taken, book).put_sums();
}

}  // namespace warmpool::campaign
