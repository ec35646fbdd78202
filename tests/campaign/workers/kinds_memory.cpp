// Workers that take more memory than they may. What they have is read here from /proc, as their
// daemon reads it, so that the time over a limit is from the moment at which the kernel says so.
#include <csignal>
#include <fstream>

#include "tests/campaign/workers/kind.hpp"
#include "tests/campaign/workers/process_table.hpp"

namespace warmpool::campaign {
namespace {

constexpr std::uint64_t kGrowthMiB = 16;
// Of daemon and workers together, where the kernel has to choose among them.
constexpr std::uint64_t kAroundMiB = 192, kNotedMiB = 128;

std::string mebibytes(const std::string& option, std::uint64_t count) {
  return option + " = \"" + std::to_string(count) + "MiB\"\n";
}

bool is_done_at_once(const Sent* sent) {
  return sent != nullptr && sent->entry.told.back().verdict == Verdict::Done &&
         sent->entry.told.back().attempt == 1;
}

// Tasks that each leave a little, until the worker has `limit_kib`; then others, so that it is
// never idle. `over`: from there on until it is gone. False: a task was lost, or nobody came.
bool leak_and_be_replaced(Trial& trial, std::uint64_t limit_kib, Times& over) {
  const auto from = trial.watch().count();
  const pid_t pid = trial.pid_in("victim-0");
  std::vector<std::size_t> tasks;
  const auto run = [&](const std::string& type, const std::string& payload) {
    tasks.push_back(trial.sender().submit(type, payload));
    return is_done_at_once(trial.sender().settled(tasks.back()));
  };
  bool all_done = true;
  while (all_done && tasks.size() < 200 && own_kib_of(pid) < limit_kib) {
    all_done = run("bad", "leak:1");
  }
  const auto at = monotonic_nanoseconds();
  const auto find = [&](const char* event, std::chrono::milliseconds usual) {
    return trial.watch().wait(
        from, [&](const Heard& one) { return one.event == event && one.slot == "victim-0"; },
        usual);
  };
  for (const auto end = test::patience_ends(); all_done && !find("worker-recycled", {});) {
    all_done = run("work", "5") && std::chrono::steady_clock::now() < end;
  }
  const auto recycled = find("worker-recycled", {}), ready = find("worker-ready", {});
  const auto exited = find("worker-exited", std::chrono::seconds(20));
  if (!recycled || !ready || !exited || exited->worker != recycled->worker) {
    trial.wrong("a worker over its limit was not replaced");
    return false;
  }
  ++trial.figures().detected;
  trial.figures().seen.add_between(at, recycled->at);
  trial.figures().ready.add_between(at, ready->at);
  over.add_between(at, exited->at);
  const bool right = recycled->cause == "memory" && exited->cause == "requested";
  trial.figures().cause_right += right ? 1U : 0U;
  if (!right) trial.wrong("replaced for " + recycled->cause + ", ended as " + exited->cause);
  return all_done && ready->at <= recycled->at;
}

// W11. What it has after its first task is its baseline.
void leak(Trial& trial, std::uint64_t runs, bool grows) {
  Times over;
  for (std::uint64_t run = 0; run < runs; ++run) {
    ++trial.figures().runs;
    trial.be_useful();
    const auto had = own_kib_of(trial.pid_in("victim-0"));
    const auto limit_kib = 1'024 * (grows ? kGrowthMiB + 1 : kSoftMiB) + (grows ? had : 0);
    const bool kept = leak_and_be_replaced(trial, limit_kib, over);
    trial.figures().recovered += kept ? 1U : 0U;
    if (!kept) return trial.wrong("a leak cost a task, or its worker's place was empty");
  }
  trial.figures().more.push_back("over its limit for " + over.text() + " ms");
}

// The last line of what the tasks write as they pass their limit.
std::uint64_t last_passed(const Trial& trial) {
  std::ifstream file(trial.directory() + "/passed");
  std::uint64_t at = 0;
  for (std::uint64_t next = 0; file >> next;) at = next;
  return at;
}

std::string takes(std::uint64_t limit, std::uint64_t all) {
  return "take:" + std::to_string(limit) + "," + std::to_string(all);
}

// Four times its limit in one task: how long after it passed that.
void take_much(Trial& trial, std::uint64_t runs, std::uint64_t limit_mib, const Fault& fault) {
  Times after;
  for (std::uint64_t run = 0; run < runs; ++run) {
    const auto from = trial.watch().count();
    trial.suffer(fault);
    const auto exited =
        trial.watch().wait(from, [](const Heard& one) { return one.event == "worker-exited"; }, {});
    if (exited) after.add_between(last_passed(trial), exited->at);
  }
  trial.figures().over.add_all(after);
  trial.figures().more.push_back("dead " + after.text() + " ms after it had " +
                                 std::to_string(limit_mib) + " MiB");
}

Fault takes_too_much(std::uint64_t limit_mib, std::string cause) {
  return {
      .payload = takes(limit_mib, 4 * limit_mib), .causes = {std::move(cause)}, .code = -SIGKILL};
}

// W13. The kernel kills by itself, here within the worker's own cgroup.
void let_the_kernel_kill(Trial& trial, std::uint64_t runs) {
  const pid_t daemon = trial.daemon().pid();
  take_much(trial, runs, kHardMiB, takes_too_much(kHardMiB, "out-of-memory"));
  if (!trial.daemon().running() || trial.daemon().pid() != daemon)
    trial.wrong("the daemon is gone");
}

// W13. It has to choose: daemon and workers share what there is, as in a container.
void let_the_kernel_choose(Trial& trial, std::uint64_t runs) {
  if (trial.around() == nullptr || !trial.around()->limit_memory(kAroundMiB << 20)) {
    return trial.wrong("no limit can be set around the daemon");
  }
  take_much(
      trial, runs, kNotedMiB,
      {.payload = takes(kNotedMiB, 4 * kAroundMiB), .causes = {"out-of-memory"}, .code = -SIGKILL});
  const auto kills = trial.around()->oom_kills();
  trial.figures().more.push_back(std::to_string(kills) + " kills by the kernel, of the daemon " +
                                 (trial.daemon().running() ? "0" : "1"));
  if (!trial.daemon().running()) trial.wrong("the kernel chose the daemon");
  if (kills != runs) trial.wrong("the kernel killed " + std::to_string(kills) + " times");
}

}  // namespace

std::string memory_terms() {
  return mebibytes("memory_soft", kSoftMiB) + mebibytes("memory_hard", kHardMiB);
}

Kinds memory_kinds() {
  const std::string one = "size = 1\nsize_min = 1\n", often = "sample_interval = \"50ms\"\n";
  Kinds kinds;
  kinds.push_back({.id = "W11",
                   .fault = "leaks a little in each task, over memory_soft",
                   .expected = "replaced while it works, no task lost",
                   .share = 25,
                   .terms = {.options = often, .victims = one + memory_terms()},
                   .run = [](Trial& trial, std::uint64_t runs) { leak(trial, runs, false); }});
  kinds.push_back(
      {.id = "W11",
       .fault = "leaks a little in each task, by memory_growth",
       .expected = "replaced while it works, no task lost",
       .share = 25,
       .terms = {.options = often,
                 .victims = one + "memory_soft = 0\n" + mebibytes("memory_growth", kGrowthMiB)},
       .run = [](Trial& trial, std::uint64_t runs) { leak(trial, runs, true); }});
  kinds.push_back({.id = "W12",
                   .fault = "takes 4 times memory_hard in one task",
                   .expected = "killed for memory, one crash charged",
                   .share = 25,
                   .terms = {.options = often, .victims = one + memory_terms()},
                   .run = [](Trial& trial, std::uint64_t runs) {
                     take_much(trial, runs, kHardMiB, takes_too_much(kHardMiB, "memory"));
                   }});
  kinds.push_back({.id = "W12",
                   .fault = "takes 4 times memory_hard in one task, default options",
                   .expected = "killed for memory, one crash charged",
                   .about = About::HardLimit,
                   .share = 25,
                   .terms = {.victims = one + memory_terms()},
                   .run = [](Trial& trial, std::uint64_t runs) {
                     take_much(trial, runs, kHardMiB, takes_too_much(kHardMiB, "memory"));
                   }});
  kinds.push_back({.id = "W13",
                   .fault = "killed by the kernel, in its own memory cgroup",
                   .expected = "cause out-of-memory, the daemon is never chosen",
                   .needs = Needs::MemoryLimits,
                   .share = 25,
                   .terms = {.options = "memory_cgroup_v1 = true\nsample_interval = \"1h\"\n",
                             .victims = one + memory_terms()},
                   .run = let_the_kernel_kill});
  kinds.push_back({.id = "W13",
                   .fault = "killed by the kernel, in a memory cgroup around the daemon",
                   .expected = "cause out-of-memory, the daemon is never chosen",
                   .needs = Needs::MemoryAround,
                   .share = 25,
                   .terms = {.options = "sample_interval = \"1h\"\n",
                             .victims = one + "memory_soft = 0\nmemory_hard = 0\n",
                             .around = "memory"},
                   .run = let_the_kernel_choose});
  return kinds;
}

}  // namespace warmpool::campaign
