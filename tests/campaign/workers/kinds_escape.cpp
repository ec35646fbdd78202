// Processes that a task starts and that get out of its worker's tree: none may be there after their
// worker. The bound is on the kill of all of them, not on their number.
#include <chrono>
#include <csignal>
#include <filesystem>

#include "tests/campaign/workers/kind.hpp"
#include "tests/campaign/workers/process_table.hpp"
#include "tests/campaign/workers/strays.hpp"

namespace warmpool::campaign {
namespace {

// Enough for a worker and the first of those that it makes.
constexpr std::size_t kPidsMax = 16;

std::uint64_t living(const std::string& file) {
  std::uint64_t count = 0;
  for (const auto& name : read_names(file)) count += lives(name) ? 1U : 0U;
  return count;
}

// Figures: ready is that of the slot.
void escape_and_kill(Trial& trial, const std::string& way, std::size_t most = kStraysMax) {
  const auto list = trial.directory() + "/strays";
  const auto there = list + "-are-there";
  std::uint64_t killed_at = 0;
  trial.suffer({.payload = "stray:" + way,
                .act =
                    [&](pid_t pid) {
                      if (!test::eventually([&] { return std::filesystem::exists(there); })) {
                        trial.wrong("nothing escaped by " + way);
                      }
                      killed_at = monotonic_nanoseconds();
                      ::kill(pid, SIGKILL);
                      test::eventually([&] { return living(list) == 0; }, std::chrono::seconds(2));
                      trial.figures().gone.add_between(killed_at, monotonic_nanoseconds());
                    },
                .code = -SIGKILL});
  const auto left = living(list);
  trial.figures().survivors += left;
  if (left != 0) trial.wrong(std::to_string(left) + " survive that escaped by " + way);
  const auto made = read_names(list).size();
  if (made > most)
    trial.wrong(std::to_string(made) + " were made, and no more than " + std::to_string(most) +
                " may be");
  if (made == 0) trial.wrong("no process wrote itself down: " + way);
  std::filesystem::remove(list);
  std::filesystem::remove(there);
}

void hear_others(Trial& trial, std::uint64_t runs) {
  trial.listen_to_others(std::chrono::milliseconds(runs >= 10 ? 10'000 : 200));
}

void tell_gone(Trial& trial) {
  auto& figures = trial.figures();
  figures.in_cgroups = trial.has_cgroup();
  figures.more.push_back("all gone " + figures.gone.text() + " ms");
}

Kind escapes(const std::string& way, const Terms& terms) {
  const bool storm = way == "storm";
  return {.id = storm ? "W14" : "W15",
          .fault = "escape by " + way + (terms.without_cgroups ? ", no cgroup" : ""),
          .expected = "nothing survives its worker",
          .needs = terms.without_cgroups   ? Needs::NoCgroup
                   : way == "without-mark" ? Needs::Cgroup
                                           : Needs::Nothing,
          .about = storm ? About::ForkStorm : About::Escape,
          .terms = terms,
          .run = [way, storm](Trial& trial, std::uint64_t runs) {
            if (storm) hear_others(trial, runs);
            for (std::uint64_t run = 0; run < runs; ++run) escape_and_kill(trial, way);
            tell_gone(trial);
          }};
}

// It forks until the kernel makes no more, which is long before it would stop by itself.
void storm_within_a_limit(Trial& trial, std::uint64_t runs) {
  hear_others(trial, runs);
  for (std::uint64_t run = 0; run < runs; ++run) escape_and_kill(trial, "storm", kPidsMax);
  tell_gone(trial);
}

// The worker ends by itself; what it left holds its output and channel.
void leave_and_end(Trial& trial, std::uint64_t runs) {
  const auto list = trial.directory() + "/strays";
  for (std::uint64_t run = 0; run < runs; ++run) {
    trial.suffer({.payload = "stray-end:setsid", .causes = {"exited"}, .code = 5});
    if (!test::eventually([&] { return living(list) == 0; }, std::chrono::seconds(2))) {
      trial.figures().survivors += living(list);
      trial.wrong("what an ended worker left survives");
    }
    std::filesystem::remove(list);
  }
}

}  // namespace

Kinds escape_kinds() {
  Kinds kinds;
  kinds.push_back({.id = "W15",
                   .fault = "ends; a setsid child holds its channel",
                   .expected = "the slot is free at once, the child is killed",
                   .share = 50,
                   .run = leave_and_end});
  kinds.push_back({.id = "W14",
                   .fault = "escape by storm, with pids_max",
                   .expected = "the limit holds, nothing survives its worker",
                   .needs = Needs::PidsLimits,
                   .share = 50,
                   .terms = {.victims = "size = 1\nsize_min = 1\npids_max = " +
                                        std::to_string(kPidsMax) + "\n"},
                   .run = storm_within_a_limit});
  for (const bool without : {false, true}) {
    for (const auto way : stray_ways()) {
      // Without a cgroup nothing tells such a process from a stranger: docs/architecture.md.
      if (without && way == "without-mark") continue;
      kinds.push_back(escapes(std::string(way), {.without_cgroups = without}));
    }
  }
  return kinds;
}

}  // namespace warmpool::campaign
