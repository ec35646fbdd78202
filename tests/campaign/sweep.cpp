// Lives that end at failpoints: where in the code, and not when, is drawn up in a list.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <sstream>

#include "tests/campaign/lives.hpp"
#include "tests/campaign/old_store.hpp"
#include "tests/support/places.hpp"

namespace warmpool::campaign {
namespace {

// Those that only a first start comes to.
constexpr const char* kFirstStart[] = {"migrate", "sql", "write", "fsync", "rename", "unlink"};

std::vector<std::string> failpoints() {
  std::istringstream list(
      test::run_shell("WARMPOOL_FAILPOINT=list " + test::program(kFailpointDaemon)).output);
  std::vector<std::string> points;
  for (std::string point; list >> point;) points.push_back(point);
  return points;
}

class Sweep {
 public:
  Sweep(const Plan& plan, Lives::Setup setup)
      : plan_(plan), points_(failpoints()), lives_(plan, std::move(setup)) {}

  // Each failpoint at a few counts.
  int some() {
    if (!up()) return lives_.finish();
    sweep_new_stores(3 * plan_.runs, 1);
    lives_.begin();
    lives_.kill();
    const auto lives = points_.size() * plan_.runs;
    std::uint64_t count = 1;
    for (std::uint64_t run = 0; run < plan_.runs; ++run, count *= 4) {
      for (const auto& point : points_) {
        lives_.live_until(point, count, 100 + 4 * std::min<std::uint64_t>(count, 1'000));
        lives_.show(++life_, lives);
      }
    }
    return conclude(plan_.runs >= 4);
  }

  // Each failpoint at each count that a life comes to, or at each `stride`-th.
  int all() {
    if (!up()) return lives_.finish();
    keep_chosen();
    sweep_new_stores(~0ULL, plan_.stride);
    sweep_old_stores();
    lives_.begin();
    lives_.kill();
    lives_.live_until("none", 1, kScript);  // a store that was in use, and was stopped in order
    for (const auto& point : points_) {
      if (step_of(point) != "migrate") sweep_at(point);
    }
    lives_.report().row("of them each", "count that comes, by " + std::to_string(plan_.stride));
    return conclude(true);
  }

 private:
  bool up() {
    if (points_.empty()) lives_.report().violation("the daemon has no failpoints");
    return lives_.up() && !points_.empty();
  }

  static std::string step_of(const std::string& point) { return point.substr(0, point.find('-')); }

  // "write,fsync": these steps only. What there is none of is never reached.
  void keep_chosen() {
    if (plan_.kinds.empty()) return;
    std::vector<std::string> chosen;
    std::istringstream steps(plan_.kinds);
    for (std::string step; std::getline(steps, step, ',');) {
      chosen.push_back(step + "-before");
      chosen.push_back(step + "-after");
    }
    points_ = std::move(chosen);
  }

  bool is_chosen(const std::string& point) const {
    return std::ranges::find(points_, point) != points_.end();
  }

  // Until a life that began behind an orderly stop, so that it had the whole script before it,
  // comes to its end.
  void sweep_at(const std::string& point) {
    std::uint64_t count = 1;
    for (bool stopped = true;;) {
      const auto end = lives_.live_until(point, count, kScript);
      ++life_;
      if (end == Lives::End::Other || (end == Lives::End::Stopped && stopped)) break;
      stopped = end == Lives::End::Stopped;
      if (!stopped) count += plan_.stride;
    }
    progress(point + ": " + std::to_string(count) + " times, " +
             std::to_string(lives_.direction().settled) + " ends told");
  }

  int conclude(bool all_are_reached) {
    lives_.daemon().set_prefix({});
    lives_.start("the last failpoint");
    auto& report = lives_.report();
    report.row("failpoints", points_.size());
    report.row("lives with a failpoint", life_);
    report.row("of these killed there", lives_.kills() - 1);
    report.row("ended by an orderly stop", lives_.stops());
    std::string never;
    for (const auto& point : points_) {
      if (!lives_.reached().contains(point)) never += (never.empty() ? "" : ", ") + point;
    }
    report.row("never reached", never.empty() ? "none" : never);
    if (all_are_reached && !never.empty()) report.violation("never reached: " + never);
    lives_.conclude();
    return lives_.finish();
  }

  // What only the first start of a store does: each time it is killed there the next start makes it
  // whole.
  void sweep_new_stores(std::uint64_t counts, std::uint64_t stride) {
    std::uint64_t killed = 0;
    for (const char* step : kFirstStart) {
      for (const char* side : {"-before", "-after"}) {
        const auto point = std::string(step) + side;
        if (!is_chosen(point)) continue;
        for (std::uint64_t count = 1; count <= counts; count += stride) {
          if (!kill_first_start(point, count)) break;
          lives_.reached().insert(point);
          ++killed;
        }
      }
    }
    auto& report = lives_.report();
    report.row("first starts killed while they made their store", killed);
    if (killed == 0 && plan_.kinds.empty()) report.violation("no first start was killed");
  }

  // A store of an earlier version that is killed on its way to this one has its tasks all the same.
  // With a stride once at each point.
  void sweep_old_stores() {
    const auto most = plan_.stride == 1 ? ~0ULL : 1;
    std::uint64_t killed = 0;
    for (int version = 1; version <= kOldVersions; ++version) {
      for (const char* point : {"migrate-before", "migrate-after", "sql-before", "sql-after"}) {
        if (!is_chosen(point)) continue;
        std::uint64_t count = 1;
        while (count <= most && kill_old_store(version, point, count)) ++count;
        killed += count - 1;
        if (count > 1) continue;
        lives_.report().violation("a store of version " + std::to_string(version) +
                                  " does not come to " + point);
      }
    }
    lives_.report().row("stores of earlier versions killed on their way to this one", killed);
  }

  // False: it does not come there so often.
  bool kill_old_store(int version, const std::string& point, std::uint64_t count) {
    const auto state = lives_.scratch() + "/old";
    auto fault = make_old_store(state, version);
    test::RealDaemon daemon(
        setup("export WARMPOOL_FAILPOINT=" + point + ":" + std::to_string(count) + ";",
              {"--state-dir", state}));
    const bool is_killed = !daemon.running();
    if (is_killed) {
      const auto status = daemon.wait();
      daemon.set_prefix({});
      if (status != 128 + SIGKILL || !daemon.start()) fault += "it does not start: " + daemon.log();
    }
    if (fault.empty()) fault = fault_of_old_store(daemon);
    if (!fault.empty()) {
      lives_.report().violation("a store of version " + std::to_string(version) + ", killed near " +
                                point + ":" + std::to_string(count) + ": " + fault);
    }
    daemon.signal(SIGKILL);
    daemon.wait();
    std::filesystem::remove_all(state);
    return is_killed;
  }

  test::RealDaemon::Setup setup(std::string prefix, std::vector<std::string> arguments) const {
    return {.config = lives_.config(),
            .arguments = std::move(arguments),
            .prefix = std::move(prefix),
            .wrapper = kEndsWithUs,
            .program = kFailpointDaemon};
  }

  // False: it does not come there so often.
  bool kill_first_start(const std::string& point, std::uint64_t count) {
    test::RealDaemon fresh(
        setup("export WARMPOOL_FAILPOINT=" + point + ":" + std::to_string(count) + ";", {}));
    if (fresh.running()) return false;
    const auto status = fresh.wait();
    fresh.set_prefix({});
    if (status != 128 + SIGKILL || !fresh.start()) {
      lives_.report().violation("a first start ended with " + std::to_string(status) + " near " +
                                point + ":" + std::to_string(count) +
                                ", or the next one failed: " + fresh.log());
    }
    return true;
  }

  Plan plan_;
  std::vector<std::string> points_;
  Lives lives_;
  std::uint64_t life_ = 0;
};

}  // namespace

int sweep_campaign(const Plan& plan) {
  return Sweep(plan, {.title = "Sweep of failpoints", .name = "sweep", .program = kFailpointDaemon})
      .some();
}

int calls_campaign(const Plan& plan) {
  return Sweep(plan, {.title = "Sweep of failpoints, each time they are reached",
                      .name = "calls",
                      .program = kFailpointDaemon,
                      .play = Play::Script,
                      .callers = 1})
      .all();
}

}  // namespace warmpool::campaign
