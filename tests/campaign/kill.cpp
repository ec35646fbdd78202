// One daemon, one store, many lives. kill -9 shows that what was acknowledged had been handed to
// the system, and that every state between two writes can be gone on from; it cannot show that it
// was synced (the page cache survives): that is the power campaign.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <poll.h>
#include <set>
#include <sstream>
#include <thread>

#include <nlohmann/json.hpp>

#include "tests/campaign/caller.hpp"
#include "tests/campaign/campaigns.hpp"
#include "tests/campaign/judge.hpp"
#include "tests/campaign/scratch.hpp"
#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"

namespace warmpool::campaign {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using std::chrono::steady_clock;

constexpr int kCallers = 4;

std::string config_with(const std::string& runs_path) {
  return "interruptions_max = 1000\ncrashes_max = 1000\nbackoff_first = \"1ms\"\n"
         "backoff_max = \"20ms\"\nrestarts_max = 100\nrestart_cooldown = \"1ms\"\n"
         "restart_backoff_max = \"50ms\"\nresults_bytes_max = \"1GiB\"\n[[class]]\nname = "
         "\"worker\"\ncommand = [\"" +
         test::program("test-campaign-worker") + "\", \"" + runs_path +
         "\"]\ntypes = [\"work\", \"flaky\", \"doomed\", \"crashing\"]\nsize = 4\nsize_min = 1\n"
         "recovery_deaths = 0\n";
}

class KillCampaign {
 public:
  KillCampaign(const Plan& plan, const std::string& title, const std::string& program)
      : plan_(plan),
        random_(plan.seed),
        report_(title),
        ledger_(scratch_.path()),
        daemon_({.config = config_with(ledger_.runs_path()),
                 .arguments = {},
                 .prefix = {},
                 .wrapper = {},
                 .program = program}) {}

  int kill() {
    if (!daemon_.running()) {
      report_.violation("the daemon did not start: " + daemon_.log());
      return finish("kill");
    }
    begin();
    for (std::uint64_t run = 1; run <= plan_.runs && daemon_.running(); ++run) {
      kill_once(run);
      show(run, plan_.runs);
    }
    conclude();
    return finish("kill");
  }

  // Every life has an allocation that fails, if it comes so far: at the start, at work, in a stop.
  int memory() {
    if (!daemon_.running()) {
      report_.violation("the daemon did not start: " + daemon_.log());
      return finish("memory");
    }
    begin();
    end_life();
    for (std::uint64_t life = 1; life <= plan_.runs; ++life) {
      // As many in each order of size, up to some thousands of tasks.
      const std::uint64_t order = std::uint64_t{1} << random_() % 18;
      live_until(life % 2 == 0 ? "new" : "sqlite", order + random_() % order);
      show(life, plan_.runs);
    }
    daemon_.set_prefix({});
    restart("the last end of memory");
    report_.row("lives", plan_.runs);
    report_.row("of these ended without memory, with message and status 71", memory_ends_);
    report_.row("ended by an orderly stop", stops_);
    if (memory_ends_ == 0) report_.violation("memory never ended");
    conclude();
    return finish("memory");
  }

  // Every life has a failpoint; where it is not reached at work, it may be in an orderly stop.
  int sweep() {
    const auto points = failpoints();
    if (!daemon_.running() || points.empty()) {
      report_.violation("the daemon did not start: " + daemon_.log());
      return finish("sweep");
    }
    sweep_new_stores();
    begin();
    end_life();
    const auto lives = points.size() * plan_.runs;
    std::uint64_t life = 0, count = 1;
    for (std::uint64_t run = 0; run < plan_.runs; ++run, count *= 4) {
      for (const auto& point : points) {
        live_until(point, count);
        show(++life, lives);
      }
    }
    daemon_.set_prefix({});
    restart("the last failpoint");
    report_.row("failpoints", points.size());
    report_.row("lives with a failpoint", life);
    report_.row("of these killed there", daemon_kills_ - 1);
    report_.row("ended by an orderly stop", stops_);
    std::string never;
    for (const auto& point : points) {
      if (!reached_.contains(point)) never += (never.empty() ? "" : ", ") + point;
    }
    report_.row("never reached", never.empty() ? "none" : never);
    conclude();
    return finish("sweep");
  }

 private:
  void conclude() {
    drain();
    check_counts();
    check_nothing_stays();
  }

  void show(std::uint64_t at, std::uint64_t all) const {
    if (at % 10 != 0 && at != all) return;
    progress(std::to_string(at) + " of " + std::to_string(all) + " lives ended, " +
             std::to_string(direction_.settled) + " ends told");
  }

  void begin() {
    direction_.socket = daemon_.directory() + "/warmpool.sock";
    for (int i = 0; i < kCallers; ++i) {
      callers_.push_back(
          std::make_unique<Caller>("caller" + std::to_string(i), random_(), direction_, ledger_));
    }
    for (auto& caller : callers_) threads_.emplace_back([&caller] { caller->run(); });
  }

  // Each life does something before it ends, however slow the machine is; at which moment of it the
  // next kill falls is left to chance.
  void kill_once(std::uint64_t run) {
    const auto before = direction_.settled.load();
    test::eventually([&] { return direction_.settled > before || !daemon_.running(); });
    ::poll(nullptr, 0, static_cast<int>(random_() % 250));
    if (random_() % 4 == 0) kill_a_worker();
    end_life();
    restart("kill " + std::to_string(run));
  }

  // It ends by our SIGKILL; all else is a finding.
  void end_life() {
    daemon_.signal(SIGKILL);
    const auto status = daemon_.wait();
    ++daemon_kills_;
    if (status == 128 + SIGKILL) return;
    report_.violation("the daemon ended with " + std::to_string(status) + ": " + last_words());
  }

  void restart(const std::string& after) {
    const auto begun = steady_clock::now();
    if (!daemon_.start()) {
      return report_.violation("no restart after " + after + ": " + last_words());
    }
    restarts_.push_back(
        std::chrono::duration<double, std::milli>(steady_clock::now() - begun).count());
  }

  static std::vector<std::string> failpoints() {
    std::istringstream list(
        test::run_shell("WARMPOOL_FAILPOINT=list " + test::program("warmpoold-failpoints")).output);
    std::vector<std::string> points;
    for (std::string point; list >> point;) points.push_back(point);
    return points;
  }

  // A life that ends at this point: maybe before it answers, maybe only in an orderly stop.
  void live_until(const std::string& point, std::uint64_t count) {
    daemon_.set_prefix("export WARMPOOL_FAILPOINT=" + point + ":" + std::to_string(count) + ";");
    const auto begun = steady_clock::now();
    if (daemon_.start()) {
      restarts_.push_back(
          std::chrono::duration<double, std::milli>(steady_clock::now() - begun).count());
      const auto enough = direction_.settled + 100 + 4 * std::min<std::uint64_t>(count, 1'000);
      test::eventually([&] { return !daemon_.running() || direction_.settled >= enough; });
    }
    if (daemon_.running()) daemon_.signal(SIGTERM);
    const auto status = daemon_.wait();
    if (status == 128 + SIGKILL) {
      ++daemon_kills_;
      reached_.insert(point);
    } else if (status == 71 && last_words().find("out of memory") != std::string::npos) {
      ++memory_ends_;
    } else if (status == 0) {
      ++stops_;
    } else {
      report_.violation("the daemon ended with " + std::to_string(status) + " near " + point +
                        ": " + last_words());
    }
  }

  // What only the first start of a store does: each time it is killed there the next start makes it
  // whole.
  void sweep_new_stores() {
    std::uint64_t killed = 0;
    for (const char* step : {"migrate", "sql", "write", "fsync", "rename", "unlink"}) {
      for (const char* side : {"-before", "-after"}) {
        const auto point = std::string(step) + side;
        for (std::uint64_t count = 1; count <= 3 * plan_.runs; ++count) {
          if (!kill_first_start(point, count)) break;
          reached_.insert(point);
          ++killed;
        }
      }
    }
    report_.row("first starts killed while they made their store", killed);
    if (killed == 0) report_.violation("no first start was killed");
  }

  // False: it does not come there so often.
  bool kill_first_start(const std::string& point, std::uint64_t count) {
    test::RealDaemon fresh(
        {.config = config_with(ledger_.runs_path()),
         .arguments = {},
         .prefix = "export WARMPOOL_FAILPOINT=" + point + ":" + std::to_string(count) + ";",
         .wrapper = {},
         .program = "warmpoold-failpoints"});
    if (fresh.running()) return false;
    const auto status = fresh.wait();
    fresh.set_prefix({});
    if (status != 128 + SIGKILL || !fresh.start()) {
      report_.violation("a first start ended with " + std::to_string(status) + " near " + point +
                        ":" + std::to_string(count) + ", or the next one failed: " + fresh.log());
    }
    return true;
  }

  void kill_a_worker() {
    const auto pid = scratch_.process_of(ledger_.runs_path());
    if (pid <= 0) return;
    ::kill(pid, SIGKILL);
    ++worker_kills_;
  }

  // Gives up when nothing settles any more for as long as a test waits.
  void drain() {
    progress("draining");
    direction_.drain = true;
    std::thread watch([this] {
      for (std::uint64_t seen = ~0ULL; seen != direction_.settled;) {
        seen = direction_.settled;
        test::eventually([&] { return direction_.settled != seen || drained_; }, 60s);
        if (drained_) return;
      }
      direction_.give_up = true;
    });
    for (auto& thread : threads_) thread.join();
    drained_ = true;
    watch.join();
  }

  // I7: accepted = settled + waiting + running, by the daemon and by the ledger.
  void check_counts() {
    std::vector<const Entry*> all;
    for (const auto& caller : callers_) {
      for (const auto& entry : caller->entries()) all.push_back(&entry);
      for (const auto& odd : caller->oddities()) report_.violation(odd);
    }
    judged_ = judge(all, ledger_.runs(), report_);
    const auto ran = daemon_.call("status --json");
    if (ran.status != 0) return report_.violation("no status: " + last_words());
    const auto tasks = json::parse(ran.output).at("tasks");
    const auto at = [&](const char* name) { return tasks.at(name).get<std::uint64_t>(); };
    const auto settled = at("done") + at("dead") + at("cancelled") + at("expired") + at("skipped");
    if (at("accepted") != settled || at("waiting") + at("running") != 0) {
      report_.violation("the counts do not add up: " + tasks.dump());
    }
    within("accepted", at("accepted"), judged_.durable);
    within("done", at("done"), judged_.durable_told[Verdict::Done]);
    within("dead", at("dead"), judged_.durable_told[Verdict::Dead]);
  }

  // Those in memory count while their daemon lives.
  void within(const std::string& name, std::uint64_t counted, std::uint64_t seen) {
    if (counted < seen || counted > seen + judged_.in_memory) {
      report_.violation(name + ": the daemon counts " + std::to_string(counted) + ", clients saw " +
                        std::to_string(seen) + " that are kept and " +
                        std::to_string(judged_.in_memory) + " that are not");
    }
  }

  // I5: nor a worker of any life.
  void check_nothing_stays() {
    daemon_.signal(SIGTERM);
    const auto status = daemon_.wait();
    if (status != 0) report_.violation("the last stop ended with " + std::to_string(status));
    if (!test::eventually([&] { return scratch_.process_of(ledger_.runs_path()) <= 0; })) {
      report_.violation("a worker has outlived its daemon");
    }
  }

  int finish(const std::string& name) {
    std::uint64_t cancels = 0, resubmits = 0, departures = 0, large = 0;
    for (const auto& caller : callers_) {
      cancels += caller->cancels();
      resubmits += caller->resubmits();
      departures += caller->departures();
      large += caller->large_results();
    }
    report_.row("kills -9 of the daemon", daemon_kills_);
    report_.row("with a worker killed just before", worker_kills_);
    report_.row("clients that left and came back", departures);
    report_.row("seed", plan_.seed);
    report_.row("keys submitted", judged_.keys);
    report_.row("tasks acknowledged", judged_.acknowledged);
    report_.row("of these full or relaxed", judged_.durable);
    report_.row("ends told", direction_.settled.load());
    report_.row("cancels asked for", cancels);
    report_.row("keys submitted again after their end", resubmits);
    report_.row("results over 64 KiB told", large);
    report_.row("runs of handlers", judged_.runs);
    report_.row("runs beyond the first of a task", judged_.runs_again);
    report_.row("lost", judged_.lost);
    report_.row("double completions", judged_.doubles);
    report_.row("run again after the end was told", judged_.resurrected);
    report_.row("restarts", restarts_.size());
    report_.times("from start to first answer", restarts_);
    report_.bound("chance of a loss or double per task that is kept below", judged_.durable,
                  report_.violations() == 0);
    report_.bound("chance of a loss or double per kill below", daemon_kills_,
                  report_.violations() == 0);
    if (report_.violations() > 0) scratch_.keep_in(plan_.out, daemon_.directory() + "/log");
    return report_.publish(plan_.out, name);
  }

  std::string last_words() const {
    const auto log = daemon_.log();
    return log.substr(log.size() > 600 ? log.size() - 600 : 0);
  }

  Plan plan_;
  std::mt19937_64 random_;
  Report report_;
  Scratch scratch_;
  Ledger ledger_;
  test::RealDaemon daemon_;
  Direction direction_;
  std::vector<std::unique_ptr<Caller>> callers_;
  std::vector<std::thread> threads_;
  std::atomic<bool> drained_{false};
  std::vector<double> restarts_;
  std::uint64_t daemon_kills_ = 0, worker_kills_ = 0;
  std::uint64_t stops_ = 0, memory_ends_ = 0;
  std::set<std::string> reached_;
  Judged judged_;
};

}  // namespace

int kill_campaign(const Plan& plan) {
  return KillCampaign(plan, "Kill campaign", "warmpoold").kill();
}

int memory_campaign(const Plan& plan) {
  return KillCampaign(plan, "Memory campaign", "warmpoold-failpoints").memory();
}

int sweep_campaign(const Plan& plan) {
  return KillCampaign(plan, "Sweep of failpoints", "warmpoold-failpoints").sweep();
}

}  // namespace warmpool::campaign
