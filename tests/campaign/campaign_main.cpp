// warmpool-campaign: long runs of faults against real daemons. scripts/campaign.sh builds and
// starts it.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <string_view>

#include "tests/campaign/campaigns.hpp"
#include "tests/campaign/figure_book.hpp"

namespace {

using namespace warmpool::campaign;

constexpr const char* kUsage =
    R"(usage: scripts/campaign.sh kill|sweep|calls|memory|power|faults|flips|map|workers|soak|watching
                           [--runs N] [--seed S] [--files N] [--kinds A,B] [--stride N]
                           [--minutes N] [--every SECONDS] [--workers N] [--out DIR] [--report]

  kill   kills a daemon N times [100] at random moments while clients submit, cancel and go on by
         key; then compares what they and the handlers saw with what was promised
  sweep  the same with a daemon that kills itself on each side of each step (failpoints) and of each
         write, sync, rename, unlink and truncate, the 1st, 4th, 16th ... time: N counts [4]
  calls  the same, each failpoint the 1st, 2nd, 3rd ... time (with --stride N each N-th) that a life of
         a fixed script comes to it, until one ends in order (--kinds: only these steps, as write,fsync)
  memory the same with a daemon for which memory ends N times [100]: at some allocation of its own,
         or of SQLite's and all after it; it ends with a message and its status
  power  cuts the power at each sync of the store, for N seeds [100]
  faults fails each call of the database, for N seeds [1]
  flips  spoils N files of stores [3000]: bits, pages, ends
  map    one `warmpool map file.digest` over N files of /usr/share (--files [20000]) while its
         daemon is killed and restarted N times [3]
  workers  each kind of worker fault N times [100], those that take long a part of that (--kinds:
         only these, as W01,W15): how soon it is seen, whether the cause is right and the worker
         replaced, what survives, what leaks, whether a worker in order is ended
  soak   one daemon for N minutes (--minutes [10]) under steady load, with such faults drawn at
         random; then no descriptor, process, cgroup directory or memory file more than before, and
         the daemon no more than 4 MiB larger than after a quarter of the time. With --every S one
         fault each S seconds for each of N workers (--workers [4]), and how much of the time they
         were there; judged as if it were one each 1,000 s
  watching  what watching N workers (--workers [500]) costs a daemon with default options, for N
         minutes (--minutes [1]) while all are idle, and while all are busy and silent

  --runs N    how often, 1 to 1000000
  --stride N  of calls [1]
  --minutes N of soak, 0 to 10080; 0: each fault once. Of watching; 0: for a second
  --report    of workers: prints the figures that are aimed at, each with N, the time of 50 % and
              99 %, the maximum and whether it is what it should be, as they were last taken; runs
              the campaign first where there are none or with --runs or --kinds. Status 1: a figure
              that was taken is not met
  --seed S    where chance begins [1]
  --out DIR   where the report goes (kill.md, ...) and, where something was found, the
              evidence [build/campaign]

Exit status: 0 nothing was found, 1 something was, 2 wrong usage.
)";

struct Campaign {
  std::uint64_t runs;
  int (*run)(const Plan&);
  std::uint64_t minutes = 10;
};

const std::map<std::string_view, Campaign> kCampaigns = {
    {"kill", {100, kill_campaign}},         {"sweep", {4, sweep_campaign}},
    {"memory", {100, memory_campaign}},     {"power", {100, power_campaign}},
    {"calls", {1, calls_campaign}},         {"faults", {1, faults_campaign}},
    {"flips", {3000, flips_campaign}},      {"map", {3, map_campaign}},
    {"workers", {100, workers_campaign}},   {"soak", {1, soak_campaign}},
    {"watching", {1, watching_campaign, 1}}};

bool number(const char* text, std::uint64_t least, std::uint64_t most, std::uint64_t& value) {
  const char* end = text + std::strlen(text);
  const auto read = std::from_chars(text, end, value);
  return read.ec == std::errc() && read.ptr == end && value >= least && value <= most;
}

bool take_option(std::string_view name, const char* value, Plan& plan) {
  constexpr std::uint64_t kMost = 1'000'000;
  if (name == "--runs") return number(value, 1, kMost, plan.runs);
  if (name == "--seed") return number(value, 0, ~0ULL, plan.seed);
  if (name == "--stride") return number(value, 1, kMost, plan.stride);
  if (name == "--files") return number(value, 1, kMost, plan.files);
  if (name == "--minutes") return number(value, 0, 7 * 24 * 60, plan.minutes);
  if (name == "--every") return number(value, 1, 100'000, plan.every_s);
  if (name == "--workers") return number(value, 1, 2'000, plan.workers);
  if (name == "--kinds") return !(plan.kinds = value).empty();
  if (name != "--out" || *value == '\0') return false;
  std::error_code error;
  plan.out = std::filesystem::absolute(value).string();
  std::filesystem::create_directories(plan.out, error);
  if (error) std::fprintf(stderr, "campaign: %s: %s\n", value, error.message().c_str());
  return !error;
}

int show_figures(const Plan& plan) {
  const FigureBook book(plan.out);
  std::fputs(book.table().c_str(), stdout);
  return book.is_missed() ? 1 : 0;
}

int refuse(const char* argument) {
  std::fprintf(stderr, "campaign: wrong argument: %s\n%s", argument, kUsage);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--help") return std::fputs(kUsage, stdout) < 0 ? 1 : 0;
  }
  const auto found = argc > 1 ? kCampaigns.find(argv[1]) : kCampaigns.end();
  if (found == kCampaigns.end()) return refuse(argc > 1 ? argv[1] : "none is given");
  Plan plan;
  plan.runs = found->second.runs;
  plan.minutes = found->second.minutes;
  const bool can_report = found->first == "workers";
  bool reports = false, asks_for_runs = false;
  for (int i = 2; i < argc; i += 2) {
    const std::string_view name = argv[i];
    if (can_report && name == "--report") {
      reports = true;
      --i;
      continue;
    }
    if (i + 1 == argc || !take_option(name, argv[i + 1], plan)) return refuse(argv[i]);
    asks_for_runs = asks_for_runs || name == "--runs" || name == "--kinds";
  }
  if (reports && !asks_for_runs && !FigureBook(plan.out).empty()) return show_figures(plan);
  const int status = found->second.run(plan);
  return reports ? std::max(status, show_figures(plan)) : status;
}
