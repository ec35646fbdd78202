// kill -9 shows that what was acknowledged had been handed to the system, and that every state
// between two writes can be gone on from; it cannot show that it was synced (the page cache
// survives): that is the power campaign.
#include "tests/campaign/lives.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <poll.h>

#include <nlohmann/json.hpp>

#include "tests/campaign/upkeep.hpp"
#include "tests/campaign/workers/process_table.hpp"
#include "tests/support/places.hpp"

namespace warmpool::campaign {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using std::chrono::steady_clock;

constexpr int kPoolSize = 4;
// A backup's connection is closed, but its descriptor stays for the next one while another of the
// process has locks on the file: to close it would drop these.
constexpr std::uint64_t kKeptBySqlite = 1;
constexpr std::size_t kHealthsLeast = 5;  // of fewer one that is late may be half of them
constexpr double kHealthMilliseconds = 500, kIdleShare = 0.1;  // I6

constexpr std::string_view kFound = "the store in ";

std::string config_with(const Ledger& ledger) {
  return "interruptions_max = 1000\ncrashes_max = 1000\nbackoff_first = \"1ms\"\n"
         "backoff_max = \"20ms\"\nrestarts_max = 100\nrestart_cooldown = \"1ms\"\n"
         "restart_backoff_max = \"50ms\"\nresults_bytes_max = \"1GiB\"\n[[class]]\nname = "
         "\"worker\"\ncommand = [\"" +
         test::program("test-campaign-worker") + "\", \"" + ledger.runs_path() + "\", \"" +
         ledger.ends_path() +
         "\"]\ntypes = [\"work\", \"flaky\", \"doomed\", \"crashing\", \"reviving\", "
         "\"holding\", \"saving\", \"paused\"]\nsize = " +
         std::to_string(kPoolSize) + "\nsize_min = 1\nrecovery_deaths = 0\n";
}

}  // namespace

Lives::Lives(const Plan& plan, Setup setup)
    : plan_(plan),
      setup_(std::move(setup)),
      random_(plan.seed),
      report_(setup_.title),
      ledger_(scratch_.path()),
      daemon_({.config = config(),
               .arguments = {},
               .prefix = {},
               .wrapper = kEndsWithUs,
               .program = setup_.program}) {}

std::string Lives::config() const { return config_with(ledger_); }

bool Lives::up() {
  const auto all_are_ready = [&] {
    const auto rows = json::parse(daemon_.call("workers --json").output, nullptr, false);
    if (!rows.is_object()) return false;
    const auto workers = rows.value("workers", json::array());
    return std::ranges::count_if(workers, [](const auto& row) {
             return row.value("state", "") == "ready";
           }) == kPoolSize;
  };
  if (!daemon_.running() || !test::eventually(all_are_ready)) {
    report_.violation("the daemon did not come up: " + daemon_.log());
    return false;
  }
  // It has still to notice that who asked is gone.
  descriptors_ = footprint_of(daemon_.pid()).descriptors;
  for (int looked = 0; looked < 10; ++looked) {
    ::poll(nullptr, 0, 10);
    descriptors_ = std::min(descriptors_, footprint_of(daemon_.pid()).descriptors);
  }
  return true;
}

void Lives::begin() {
  direction_.socket = daemon_.directory() + "/warmpool.sock";
  for (int i = 0; i < setup_.callers; ++i) {
    callers_.push_back(std::make_unique<Caller>("caller" + std::to_string(i), random_(),
                                                setup_.play, direction_, ledger_));
  }
  watch_ = std::make_unique<Watch>(direction_.socket);
  for (auto& caller : callers_) threads_.emplace_back([&caller] { caller->run(); });
  if (setup_.play == Play::Script) return;
  operator_ = std::make_unique<Operator>(direction_, ledger_, scratch_.path());
  threads_.emplace_back([this] { operator_->run(); });
}

// Nothing of the next life can be told before it is noted that this one has ended.
int Lives::wait_for_end() {
  const auto status = daemon_.wait();
  const auto now = monotonic_nanoseconds();
  deaths_.lives.push_back({now, now});
  return status;
}

void Lives::kill() {
  daemon_.signal(SIGKILL);
  const auto status = wait_for_end();
  ++kills_;
  if (status == 128 + SIGKILL) return;
  report_.violation("the daemon ended with " + std::to_string(status) + ": " + last_words());
}

void Lives::start(const std::string& after) {
  const auto begun = steady_clock::now();
  if (!daemon_.start()) {
    return report_.violation("no restart after " + after + ": " + last_words());
  }
  restarts_.push_back(
      std::chrono::duration<double, std::milli>(steady_clock::now() - begun).count());
  healths_.push_back(health_within(daemon_.directory() + "/warmpool.sock"));
  if (healths_.back() < 0) report_.violation("no health after " + after);
}

Lives::End Lives::live_until(const std::string& point, std::uint64_t count, std::uint64_t enough) {
  daemon_.set_prefix("export WARMPOOL_FAILPOINT=" + point + ":" + std::to_string(count) + ";");
  const auto begun = steady_clock::now();
  if (daemon_.start()) {
    restarts_.push_back(
        std::chrono::duration<double, std::milli>(steady_clock::now() - begun).count());
    const auto until = direction_.settled + enough;
    if (setup_.play == Play::Script) direction_.quota = until;
    test::eventually([&] { return !daemon_.running() || direction_.settled >= until; });
  }
  if (daemon_.running()) daemon_.signal(SIGTERM);
  const auto status = wait_for_end();
  if (status == 128 + SIGKILL) {
    ++kills_;
    reached_.insert(point);
    return End::Killed;
  }
  if (status == 71 && last_words().find("out of memory") != std::string::npos) {
    ++memory_ends_;
    return End::OutOfMemory;
  }
  if (status == 0) {
    ++stops_;
    return End::Stopped;
  }
  report_.violation("the daemon ended with " + std::to_string(status) + " near " + point + ":" +
                    std::to_string(count) + ": " + last_words());
  return End::Other;
}

// What it ran may have been given to it between the two moments.
void Lives::kill_now(pid_t worker) {
  const auto before = monotonic_nanoseconds();
  ::kill(worker, SIGKILL);
  deaths_.workers.push_back({before, monotonic_nanoseconds()});
}

void Lives::kill_a_worker(bool awaits) {
  if (!awaits) {
    const auto pid = scratch_.process_of(ledger_.runs_path());
    if (pid <= 0) return;
    kill_now(pid);
    return;
  }
  // By its place, because it may be about to die by itself.
  const auto from = watch_->count();
  const auto rows = json::parse(daemon_.call("workers --json").output, nullptr, false);
  if (!rows.is_object() || rows.value("workers", json::array()).empty()) return;
  const auto row = rows.at("workers").front();
  if (!row.at("pid").is_number()) return;
  const auto slot = row.at("id").get<std::string>();
  kill_now(row.at("pid").get<pid_t>());
  const auto is_its = [&](const Heard& heard) {
    return heard.event == "worker-exited" && heard.slot == slot;
  };
  if (!watch_->wait(from, is_its)) {
    return report_.violation("the death of a worker in " + slot + " is not told");
  }
  ++deaths_told_;
}

void Lives::show(std::uint64_t at, std::uint64_t all) const {
  if (at % 10 != 0 && at != all) return;
  progress(std::to_string(at) + " of " + std::to_string(all) + " lives ended, " +
           std::to_string(direction_.settled) + " ends told");
}

std::string Lives::last_words() const {
  const auto log = daemon_.log();
  return log.substr(log.size() > 600 ? log.size() - 600 : 0);
}

void Lives::conclude() {
  drain();
  check_counts();
  check_health();
  check_idle();
  check_nothing_stays();
  check_files();
  check_backup();
}

// Gives up when nothing settles any more for as long as a test waits.
void Lives::drain() {
  progress("draining");
  direction_.drain = true;
  std::thread watch([this] {
    for (std::uint64_t seen = ~0ULL; seen != direction_.settled;) {
      seen = direction_.settled;
      test::eventually([&] { return direction_.settled != seen || drained_; }, 60s);
      if (drained_) return;
    }
    direction_.give_up = true;
    report_.violation("nothing settles any more, and it is not drained");
  });
  for (auto& thread : threads_) thread.join();
  drained_ = true;
  watch.join();
}

// I7: accepted = settled + waiting + running, by the daemon and by the ledger.
void Lives::check_counts() {
  std::vector<const Entry*> all;
  for (const auto& caller : callers_) {
    for (const auto& entry : caller->entries()) all.push_back(&entry);
    for (const auto& odd : caller->oddities()) report_.violation(odd);
  }
  const auto runs = ledger_.runs();
  if (operator_) {
    for (const auto& entry : operator_->entries()) all.push_back(&entry);
    for (const auto& odd : operator_->oddities()) report_.violation(odd);
    operator_->check(runs, report_);
  }
  judged_ = judge(all, runs, report_, &deaths_);
  check_deaths(runs);
  const auto ran = daemon_.call("status --json");
  if (ran.status != 0) return report_.violation("no status: " + last_words());
  const auto tasks = json::parse(ran.output).at("tasks");
  const auto at = [&](const char* name) { return tasks.at(name).get<std::uint64_t>(); };
  const auto settled = at("done") + at("dead") + at("cancelled") + at("expired") + at("skipped");
  if (at("accepted") != settled || at("waiting") + at("running") != 0) {
    report_.violation("the counts do not add up: " + tasks.dump());
  }
  within("accepted", at("accepted"), judged_.durable + judged_.rounds_again);
  within("done", at("done"), judged_.durable_told[Verdict::Done]);
  within("dead", at("dead"), judged_.durable_told[Verdict::Dead]);
}

// Those in memory count while their daemon lives.
void Lives::within(const std::string& name, std::uint64_t counted, std::uint64_t seen) {
  if (counted < seen || counted > seen + judged_.in_memory) {
    report_.violation(name + ": the daemon counts " + std::to_string(counted) + ", clients saw " +
                      std::to_string(seen) + " that are kept and " +
                      std::to_string(judged_.in_memory) + " that are not");
  }
}

// I4.
void Lives::check_deaths(const Runs& runs) {
  Causes causes{.kills = deaths_.workers.size()};
  for (const auto& caller : callers_) {
    for (const auto& entry : caller->entries()) {
      if (entry.task.type != "crashing") continue;
      for (const auto id : entry.ids) causes.crashes += runs.count(id);
    }
  }
  // Each start says what it found.
  const auto log = daemon_.log();
  std::uint64_t told = 0;
  for (std::size_t at = 0; (at = log.find(kFound, at)) != std::string::npos; ++at) ++told;
  if (told < restarts_.size()) {
    report_.violation(std::to_string(restarts_.size() - told) +
                      " starts did not say what they found");
  }
  if (watch_->missed() != 0) return report_.violation("events were missed");
  for (const auto& line : unexplained(watch_->from(0), causes)) report_.violation(line);
}

// I6. A single one may be late on a machine that does other things.
void Lives::check_health() {
  if (healths_.size() < kHealthsLeast) return;
  auto sorted = healths_;
  std::ranges::sort(sorted);
  if (sorted[sorted.size() / 2] > kHealthMilliseconds) {
    report_.violation("half of the starts have no health within 500 ms");
  }
}

// I5, I6: its clients are gone, and with them what it had for them.
void Lives::check_idle() {
  watch_.reset();
  Footprint seen;
  const auto is_back = [&] {
    seen = footprint_of(daemon_.pid());
    return seen.zombies == 0 && seen.children == kPoolSize &&
           seen.descriptors <= descriptors_ + kKeptBySqlite;
  };
  if (!test::eventually(is_back)) {
    report_.violation("the daemon has " + std::to_string(seen.descriptors) +
                      " descriptors (at first: " + std::to_string(descriptors_) + "), " +
                      std::to_string(seen.children) + " children, " + std::to_string(seen.zombies) +
                      " of them dead:" + descriptors_of(daemon_.pid()));
  }
  double share = 1;
  const auto rests = [&] { return (share = cpu_share(daemon_.pid(), 300ms)) < kIdleShare; };
  if (!test::eventually(rests)) {
    report_.violation("idle it uses " + std::to_string(share) + " of a core");
  }
}

// I5, of what outlives processes.
void Lives::check_files() {
  const auto state = daemon_.directory() + "/state";
  const auto bodies = files_in(state + "/bodies");
  for (const auto& line : differences(bodies, files_named_by(state + "/warmpool.db"))) {
    report_.violation(line);
  }
  for (const auto& directory : {files_in(state), bodies}) {
    for (const auto& name : half_made(directory)) report_.violation("it left " + name);
  }
}

// A backup that was made between kills is a store that a daemon starts with.
void Lives::check_backup() {
  if (!operator_ || operator_->backup().empty()) return;
  const auto state = scratch_.path() + "/restored";
  const auto ran = test::run_shell(
      test::program("warmpoold") + " --config /dev/null --runtime-dir " + daemon_.directory() +
      " --state-dir " + state + " --restore " + operator_->backup() + " 2>&1");
  if (ran.status != 0) return report_.violation("no restore: " + ran.output);
  test::RealDaemon restored({.config = config(),
                             .arguments = {"--state-dir", state},
                             .prefix = {},
                             .wrapper = kEndsWithUs});
  if (!restored.running()) return report_.violation("no start with a backup: " + restored.log());
  const auto status = json::parse(restored.call("status --json").output, nullptr, false);
  const auto tasks = status.is_object() ? status.value("tasks", json::object()) : json::object();
  if (tasks.value("done", 0) == 0) report_.violation("a backup has nothing of what was done");
}

// I5: nor a worker of any life.
void Lives::check_nothing_stays() {
  daemon_.signal(SIGTERM);
  const auto status = daemon_.wait();
  if (status != 0) report_.violation("the last stop ended with " + std::to_string(status));
  if (!test::eventually([&] { return scratch_.process_of(ledger_.runs_path()) <= 0; })) {
    report_.violation("a worker has outlived its daemon");
  }
}

int Lives::finish() {
  std::uint64_t cancels = 0, resubmits = 0, departures = 0, large = 0;
  for (const auto& caller : callers_) {
    cancels += caller->cancels();
    resubmits += caller->resubmits();
    departures += caller->departures();
    large += caller->large_results();
  }
  report_.row("kills -9 of the daemon", kills_);
  report_.row("kills -9 of a worker", deaths_.workers.size());
  report_.row("of these told before the daemon was killed", deaths_told_);
  report_.row("clients that left and came back", departures);
  report_.row("seed", plan_.seed);
  report_.row("keys submitted", judged_.keys);
  report_.row("tasks acknowledged", judged_.acknowledged);
  report_.row("of these full or relaxed", judged_.durable);
  report_.row("ends told", direction_.settled.load());
  report_.row("cancels asked for", cancels);
  report_.row("keys submitted again after their end", resubmits);
  if (operator_) {
    for (const auto& [deed, times] : operator_->deeds()) report_.row(deed, times);
  }
  report_.row("results over 64 KiB told", large);
  report_.row("runs of handlers", judged_.runs);
  report_.row("runs beyond the first of a task", judged_.runs_again);
  report_.row("lost", judged_.lost);
  report_.row("double completions", judged_.doubles);
  report_.row("run again after the end was told", judged_.resurrected);
  report_.row("restarts", restarts_.size());
  report_.times("from start to first answer", restarts_);
  report_.times("from there to the health, for a new client", healths_);
  report_.bound("chance of a loss or double per task that is kept below", judged_.durable,
                report_.violations() == 0);
  report_.bound("chance of a loss or double per kill below", kills_, report_.violations() == 0);
  if (report_.violations() > 0) scratch_.keep_in(plan_.out, daemon_.directory() + "/log");
  return report_.publish(plan_.out, setup_.name);
}

}  // namespace warmpool::campaign
