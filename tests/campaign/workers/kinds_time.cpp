// A machine that has no time for the daemon, or for the daemon and its workers.
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <thread>

#include "tests/campaign/workers/kind.hpp"
#include "tests/support/places.hpp"

namespace warmpool::campaign {
namespace {

constexpr unsigned kPercent = 5;

class Stress {
 public:
  explicit Stress(unsigned threads) {
    for (unsigned i = 0; i < threads; ++i) {
      threads_.emplace_back([this] {
        while (!ending_) {
        }
      });
    }
  }
  ~Stress() {
    ending_ = true;
    for (auto& thread : threads_) thread.join();
  }

 private:
  std::atomic<bool> ending_{false};
  std::vector<std::thread> threads_;
};

// Whoever was to be ended for it was, a second after all have their time again.
void nobody_was_ended(Trial& trial) {
  trial.be_useful();
  ::poll(nullptr, 0, 1'000);
  std::uint64_t ends = 0;
  for (const auto& heard : trial.watch().from(0)) ends += heard.event == "worker-exited" ? 1U : 0U;
  if (ends != 0) trial.wrong(std::to_string(ends) + " workers were ended");
  const auto one = ends == 0 && trial.watch().count() > 0 ? 1U : 0U;
  trial.figures().detected += one;
  trial.figures().recovered += one;
  trial.figures().cause_right += one;
}

// They get their part of each tenth of a second.
void starve(const std::vector<pid_t>& all, int milliseconds) {
  const auto tell_all = [&](int number) {
    for (const pid_t pid : all) ::kill(pid, number);
  };
  for (int passed = 0; passed < milliseconds; passed += 100) {
    tell_all(SIGCONT);
    ::poll(nullptr, 0, kPercent);
    tell_all(SIGSTOP);
    ::poll(nullptr, 0, 100 - kPercent);
  }
  tell_all(SIGCONT);
}

std::vector<pid_t> all_of(Trial& trial) {
  std::vector<pid_t> all{trial.daemon().pid()};
  const auto rows = trial.workers().value("workers", nlohmann::json::array());
  for (const auto& row : rows) {
    if (row.at("pid").is_number()) all.push_back(row.at("pid").get<pid_t>());
  }
  return all;
}

std::string tenths(int milliseconds) { return one_decimal(milliseconds / 1e3) + " s"; }

// The daemon is stopped for longer than any threshold, and for 19 of 20 parts of the time after
// that; all that while programs that do nothing else want all cores.
void starve_the_daemon(Trial& trial, std::uint64_t runs) {
  const int stopped_ms = runs >= 5 ? 60'000 : 4'000, starved_ms = runs >= 5 ? 60'000 : 1'500;
  ++trial.figures().runs;
  {
    const Stress stress(std::thread::hardware_concurrency());
    trial.daemon().signal(SIGSTOP);
    ::poll(nullptr, 0, stopped_ms);
    starve({trial.daemon().pid()}, starved_ms);
    nobody_was_ended(trial);
  }
  trial.figures().more.push_back("stopped " + tenths(stopped_ms) + ", 5 % for " +
                                 tenths(starved_ms));
}

// Daemon and workers share a twentieth of one core, by a quota of the kernel where one can be set.
// Each of them is in one call meanwhile, and says nothing.
void live_on_a_quota(Trial& trial, std::uint64_t runs) {
  const int milliseconds = runs >= 5 ? 300'000 : 3'500;
  ++trial.figures().runs;
  std::vector<std::size_t> tasks;
  for (std::size_t i = all_of(trial).size() - 1; i > 0; --i) {
    tasks.push_back(trial.sender().submit("bad", "silent:" + std::to_string(milliseconds)));
  }
  for (const auto task : tasks) {
    if (trial.begun(trial.sender().id_of(task)) == nullptr) return trial.wrong("it never began");
  }
  const bool quota = trial.around() != nullptr && trial.around()->limit_cpu(kPercent);
  {
    const Stress stress(std::thread::hardware_concurrency());
    if (quota) {
      ::poll(nullptr, 0, milliseconds);
      trial.around()->limit_cpu(0);
    } else {
      starve(all_of(trial), milliseconds);
    }
  }
  for (const auto task : tasks) {
    const Sent* sent = trial.sender().settled(task);
    if (sent == nullptr || sent->entry.told.back().attempt != 1) trial.wrong("a run was ended");
  }
  nobody_was_ended(trial);
  trial.figures().more.push_back(
      "5 % for " + tenths(milliseconds) +
      (quota ? ", by a cpu cgroup" : ", by SIGSTOP and SIGCONT in turn: no cpu cgroup here"));
}

// No sync returns: nothing is accepted meanwhile, and who works or waits goes on.
void hold_the_disk(Trial& trial, std::uint64_t runs) {
  const int milliseconds = runs >= 5 ? 60'000 : 3'500;
  ++trial.figures().runs;
  const auto hold = trial.directory() + "/hold";
  const auto task = trial.sender().submit("work", std::to_string(milliseconds));
  if (trial.begun(trial.sender().id_of(task)) == nullptr) return trial.wrong("it never began");
  std::ofstream(hold) << "held\n";
  ::poll(nullptr, 0, milliseconds);
  if (!std::filesystem::exists(hold + ".held")) trial.wrong("nobody wanted to sync");
  std::filesystem::remove(hold);
  if (trial.sender().settled(task) == nullptr) trial.wrong("its task never settled");
  nobody_was_ended(trial);
  trial.figures().more.push_back("no sync for " + tenths(milliseconds));
}

// A Python handler that lets nobody else have the interpreter, so that nothing beats.
void hold_the_lock(Trial& trial, std::uint64_t runs) {
  const int milliseconds = runs > 1 ? 60'000 : 1'000;
  ++trial.figures().runs;
  const auto task = trial.sender().submit("bad", one_decimal(milliseconds / 1e3));
  const Sent* sent = trial.sender().settled(task, std::chrono::seconds(120));
  const bool one_run = sent != nullptr && sent->entry.told.back().attempt == 1;
  if (!one_run) trial.wrong("one that holds its interpreter's lock was not waited for");
  nobody_was_ended(trial);
  trial.figures().more.push_back("held for " + tenths(milliseconds));
}

}  // namespace

Kinds time_kinds() {
  const Terms watchful{.options =
                           "heartbeat_interval = \"300ms\"\nunresponsive_after = \"1s\"\n"
                           "dead_after = \"3s\"\nsample_interval = \"200ms\"\n",
                       .victims = "size = 4\nsize_min = 1\nsize_max = 64\n"};
  Terms within = watchful;
  within.around = "cpu";
  Kinds kinds;
  kinds.push_back({.id = "W29",
                   .fault = "no time for the daemon",
                   .expected = "no healthy worker is ended",
                   .about = About::FalseAlarm,
                   .share = 5,
                   .terms = watchful,
                   .run = starve_the_daemon});
  kinds.push_back({.id = "W29",
                   .fault = "a quota of 5 % of a core for daemon and workers",
                   .expected = "no healthy worker is ended",
                   .about = About::FalseAlarm,
                   .share = 5,
                   .terms = within,
                   .run = live_on_a_quota});
  Terms held = watchful;
  held.held_disk = true;
  kinds.push_back({.id = "W29",
                   .fault = "the disk answers no sync",
                   .expected = "no healthy worker is ended",
                   .about = About::FalseAlarm,
                   .share = 5,
                   .terms = held,
                   .run = hold_the_disk});
  kinds.push_back(
      {.id = "W29",
       .fault = "holds its interpreter's lock for 60 s, default options",
       .expected = "no healthy worker is ended",
       .about = About::FalseAlarm,
       .share = 2,
       .terms = {.command = "[\"/usr/bin/python3\", \"" +
                            test::source_file("tests/python/holding.py") + "\", \"@\"]"},
       .run = hold_the_lock});
  return kinds;
}

}  // namespace warmpool::campaign
