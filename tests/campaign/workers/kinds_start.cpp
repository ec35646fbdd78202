// Workers that do not come up, and how the pool gets over it when their program is mended.
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <sys/resource.h>

#include "ipc/fd.hpp"
#include "tests/campaign/workers/kind.hpp"
#include "tests/support/places.hpp"

namespace warmpool::campaign {
namespace {

namespace fs = std::filesystem;

std::string program_of(const Trial& trial) { return trial.directory() + "/program"; }

std::string bad_worker_in(const std::string& directory) {
  return test::program("test-bad-worker") + " " + directory;
}

std::string good_program(const std::string& directory) {
  return "#!/bin/sh\nexec " + bad_worker_in(directory) + "\n";
}

void mend(Trial& trial) { write_program(trial.directory(), good_program(trial.directory())); }

// In the next start; the worker that is there ends now. The moment of that.
std::uint64_t kill_the_last_good(Trial& trial) {
  trial.be_useful();
  const pid_t pid = trial.pid_in("victim-0");
  const auto at = monotonic_nanoseconds();
  ::kill(pid, SIGKILL);
  return at;
}

// Of the victims, from `from` on, when it is not of a worker that was killed by us.
std::optional<Heard> next_failure(Trial& trial, std::size_t from) {
  return trial.watch().wait(from, [](const Heard& one) {
    return one.event == "worker-exited" && one.worker_class == "victim" && one.cause != "signalled";
  });
}

// Comes back by itself, and works. Seconds are counted from the repair.
bool recovers(Trial& trial, Times& after) {
  const auto mended = monotonic_nanoseconds();
  if (!trial.await_ready("victim", 1, std::chrono::seconds(120))) {
    trial.wrong("no worker came after its program was mended");
    return false;
  }
  after.add_between(mended, monotonic_nanoseconds());
  trial.be_useful();
  return true;
}

// W20, with the pool's own options: how often it is tried, and how much is said of it.
void crash_at_start(Trial& trial, std::uint64_t runs) {
  auto& figures = trial.figures();
  trial.expect_exits();
  const int window_ms = runs >= 10 ? 60'000 : 2'000;
  trial.listen_to_others(std::chrono::milliseconds(runs >= 10 ? 20'000 : 200));
  write_program(trial.directory(), "#!/bin/sh\necho cannot find my data >&2\nexit 7\n");
  const auto from = trial.watch().count();
  const auto log_before = trial.daemon().log().size();
  kill_the_last_good(trial);
  ::poll(nullptr, 0, window_ms);
  for (const auto& heard : trial.watch().from(from)) {
    if (heard.event != "worker-exited" || heard.worker_class != "victim") continue;
    if (heard.cause == "signalled") continue;
    ++figures.runs;
    figures.cause_right += heard.cause == "exited" && heard.code == 7 ? 1U : 0U;
  }
  figures.detected += figures.runs;
  figures.more.push_back(std::to_string(figures.runs) + " starts and " +
                         std::to_string(trial.daemon().log().size() - log_before) +
                         " bytes of log in " + std::to_string(window_ms / 1'000) + " s");
  figures.starts_a_minute = figures.runs;  // of the window, which is a minute where it counts
  if (figures.runs == 0) trial.wrong("nothing was started");
  if (figures.runs > 10) trial.wrong("it was started too often");
  mend(trial);
  Times after;
  if (recovers(trial, after)) figures.recovered += figures.runs;
  figures.more.push_back("works " + after.text() + " ms after the repair");
}

// What makes its program one that does not come up, and what must be said of it.
struct Spoiled {
  std::string id, fault, cause;
  std::function<void(Trial& trial)> spoil{};
  std::uint64_t due_ms = 0;
  std::function<void(Trial& trial)> repair = mend;
  Needs needs = Needs::Nothing;
};

void spoil_and_mend(Trial& trial, std::uint64_t runs, const Spoiled& spoiled) {
  auto& figures = trial.figures();
  trial.expect_exits();
  Times after;
  for (std::uint64_t run = 0; run < runs; ++run) {
    ++figures.runs;
    const auto from = trial.watch().count();
    spoiled.spoil(trial);
    const auto at = kill_the_last_good(trial);
    const auto failed = next_failure(trial, from);
    spoiled.repair(trial);
    if (!failed) return trial.wrong("nobody saw that it does not come up");
    ++figures.detected;
    figures.seen.add_between(at + spoiled.due_ms * 1'000'000, failed->at);
    figures.cause_right += failed->cause == spoiled.cause ? 1U : 0U;
    if (failed->cause != spoiled.cause) trial.wrong("cause " + failed->cause);
    figures.recovered += recovers(trial, after) ? 1U : 0U;
  }
  figures.more.push_back("works " + after.text() + " ms after the repair");
  const auto zombies = trial.status().at("performance").at("zombies").get<std::uint64_t>();
  if (zombies != 0) trial.wrong("it was counted as a zombie");
}

std::function<void(Trial&)> writes(std::string text) {
  return [text](Trial& trial) { write_program(trial.directory(), text); };
}

void open_for_writing(Trial& trial) {
  static ipc::UniqueFd writer;  // until the next one
  writer.reset(::open(program_of(trial).c_str(), O_WRONLY | O_CLOEXEC));
}

// What it has open stays so; what it wants to open is refused.
void limit_descriptors(Trial& trial, rlim_t soft) {
  rlimit limit{};
  const pid_t pid = trial.daemon().pid();
  if (::prlimit(pid, RLIMIT_NOFILE, nullptr, &limit) != 0) return trial.wrong("no prlimit");
  limit.rlim_cur = std::min(soft, limit.rlim_max);
  ::prlimit(pid, RLIMIT_NOFILE, &limit, nullptr);
}

// The daemon and what lives stay, and each fork fails with EAGAIN. 0: any number.
void limit_processes(Trial& trial, unsigned count) {
  if (trial.around() == nullptr || !trial.around()->limit_pids(count)) trial.wrong("no limit");
}

std::vector<Spoiled> ways_to_spoil() {
  return {
      {"W21", "dies at start", "exited", writes("#!/bin/sh\nexit 7\n")},
      {"W22", "is never ready", "start-timeout", writes("#!/bin/sh\nexec sleep 20\n"), 1'000},
      {"W31", "is missing", "spawn-failed", [](Trial& trial) { fs::remove(program_of(trial)); }},
      {"W31", "has mode 0600", "spawn-failed",
       [](Trial& trial) {
         fs::permissions(program_of(trial), fs::perms::owner_read | fs::perms::owner_write);
       }},
      {"W31", "is being written", "spawn-failed", open_for_writing},
      {"W31", "is no program", "spawn-failed", writes("\1\2\3\4 no program of this machine\n")},
      {"W31", "has no interpreter", "spawn-failed", writes("#!/nowhere/interpreter\n")},
      {"W31", "gets no descriptors from the daemon", "spawn-failed",
       [](Trial& trial) { limit_descriptors(trial, 4); }, 0,
       [](Trial& trial) { limit_descriptors(trial, RLIM_INFINITY); }},
      {"W31", "gets no process from the kernel", "spawn-failed",
       [](Trial& trial) { limit_processes(trial, 1); }, 0,
       [](Trial& trial) { limit_processes(trial, 0); }, Needs::PidsAround}};
}

// W22, slow but in order: nobody ends it, and it is no zombie while it takes its time.
void be_ready_late(Trial& trial, std::uint64_t runs) {
  auto& figures = trial.figures();
  trial.expect_exits();
  const int seconds = runs > 1 ? 60 : 1;
  write_program(trial.directory(), "#!/bin/sh\nsleep " + std::to_string(seconds) + "\nexec " +
                                       bad_worker_in(trial.directory()) + "\n");
  for (std::uint64_t run = 0; run < runs; ++run) {
    ++figures.runs;
    const auto from = trial.watch().count();
    const auto at = kill_the_last_good(trial);
    const auto came = trial.watch().wait(
        from,
        [](const Heard& one) {
          return one.event == "worker-ready" && one.worker_class == "victim";
        },
        std::chrono::seconds(120));
    std::uint64_t exits = 0;
    for (const auto& heard : trial.watch().from(from)) {
      exits += heard.event == "worker-exited" && heard.worker_class == "victim" ? 1U : 0U;
    }
    const bool in_order = came && exits == 1;
    if (came) figures.ready.add_between(at, came->at);
    if (!came) trial.wrong("one that takes its time never came");
    if (exits != 1) trial.wrong(std::to_string(exits) + " ended, and one was killed by us");
    figures.detected += in_order ? 1U : 0U;
    figures.cause_right += in_order ? 1U : 0U;
    figures.recovered += in_order ? 1U : 0U;
    const auto zombies = trial.status().at("performance").at("zombies").get<std::uint64_t>();
    if (zombies != 0) trial.wrong("it was counted as a zombie");
  }
  figures.more.push_back("ready takes " + std::to_string(seconds) + " s");
}

}  // namespace

Kinds start_kinds() {
  const Terms plain{.command = "[\"@/program\"]", .program = good_program};
  Terms soon = plain;
  soon.options =
      "restart_cooldown = \"20ms\"\nrestart_backoff_max = \"200ms\"\nstart_timeout = \"1s\"\n";
  soon.victims += "recovery_cooldown = \"20ms\"\nrecovery_cooldown_max = \"200ms\"\n";
  Kinds kinds;
  kinds.push_back({.id = "W20",
                   .fault = "dies at each start",
                   .expected = "ever rarer starts, at most 10 a minute",
                   .about = About::RestartStorm,
                   .share = 10,
                   .terms = plain,
                   .run = crash_at_start});
  Terms patient = plain;
  patient.options = "start_timeout = \"90s\"\n";
  kinds.push_back({.id = "W22",
                   .fault = "its program is ready after 60 s, start_timeout is 90 s",
                   .expected = "nobody ends it, it is no zombie",
                   .share = 2,
                   .terms = patient,
                   .run = be_ready_late});
  for (const auto& spoiled : ways_to_spoil()) {
    Terms terms = soon;
    if (spoiled.needs == Needs::PidsAround) terms.around = "pids";
    kinds.push_back({.id = spoiled.id,
                     .fault = "its program " + spoiled.fault + ", then is mended",
                     .expected = spoiled.cause + ", then works by itself",
                     .needs = spoiled.needs,
                     .share = 5,
                     .terms = terms,
                     .run = [spoiled](Trial& trial, std::uint64_t runs) {
                       spoil_and_mend(trial, runs, spoiled);
                     }});
  }
  return kinds;
}

}  // namespace warmpool::campaign
