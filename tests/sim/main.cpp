// warmpool-sim: runs seeds until enough steps were taken; a broken rule is printed with its seed
// and the last lines of its trace. A broken contract inside the core (REQUIRE) ends the process:
// the handler of SIGABRT names the seed, so that it can be replayed.
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <unistd.h>

#include "pool/breaker_machine.hpp"
#include "pool/describe.hpp"
#include "pool/slot_machine.hpp"
#include "pool/task_machine.hpp"
#include "tests/sim/run.hpp"

namespace {

using namespace warmpool;
using namespace warmpool::sim;

constexpr const char* kUsage =
    "usage: warmpool-sim [--seed N] [--seeds N] [--steps N] [--trace] [--jobs 1] [--coverage]\n"
    "                    [--config TEXT]\n"
    "  --seed N      first seed [1]; alone: only this one\n"
    "  --seeds N     at most so many seeds\n"
    "  --steps N     run seeds until so many steps were taken [1000000]\n"
    "  --trace       print every event and command\n"
    "  --jobs 1      a run is single threaded; start several with other seeds\n"
    "  --coverage    fail if a row of a transition table was never taken\n"
    "  --config TEXT force faults and figures: calm | poison,hang,slots=2,credits=16\n";

struct Arguments {
  std::uint64_t seed = 1, seeds = 0, steps = 0, jobs = 1;
  bool trace = false, coverage = false, seed_given = false;
  Forced forced;
  bool is_forced = false;
};

std::uint64_t g_seed = 0;  // for the handler of SIGABRT only

extern "C" void on_abort(int signal_number) {
  std::array<char, 128> text{};
  const int length = std::snprintf(
      text.data(), text.size(),
      "VIOLATION rule=%s seed=%llu; replay: warmpool-sim --seed %llu --trace\n",
      signal_number == SIGABRT ? "core-contract" : "core-fault",
      static_cast<unsigned long long>(g_seed), static_cast<unsigned long long>(g_seed));
  if (length > 0 && write(STDOUT_FILENO, text.data(), static_cast<std::size_t>(length)) < 0)
    _exit(3);
  _exit(1);
}

bool number(const char* text, std::uint64_t& value) {
  if (text == nullptr) return false;
  const char* end = text + std::strlen(text);
  const auto parsed = std::from_chars(text, end, value);
  return parsed.ec == std::errc{} && parsed.ptr == end && text != end;
}

// Errors: false, after the reason was printed.
bool read_option(Arguments& arguments, std::string_view name, const char* value) {
  const bool is_seed = name == "--seed";
  std::uint64_t* target = is_seed             ? &arguments.seed
                          : name == "--seeds" ? &arguments.seeds
                          : name == "--steps" ? &arguments.steps
                          : name == "--jobs"  ? &arguments.jobs
                                              : nullptr;
  if (target != nullptr) {
    arguments.seed_given = arguments.seed_given || is_seed;
    if (number(value, *target) && arguments.jobs == 1) return true;
    std::fprintf(stderr, "%s needs a whole number (--jobs: 1)\n", std::string(name).c_str());
    return false;
  }
  if (name != "--config" || value == nullptr) {
    std::fputs(kUsage, stderr);
    return false;
  }
  auto forced = parse_forced(value);
  if (!forced) {
    std::fprintf(stderr, "%s\n", forced.error().text.c_str());
    return false;
  }
  arguments.forced = *forced;
  arguments.is_forced = true;
  return true;
}

bool read_arguments(int count, char** words, Arguments& arguments) {
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    if (word == "--trace") {
      arguments.trace = true;
    } else if (word == "--coverage") {
      arguments.coverage = true;
    } else if (!read_option(arguments, word, i + 1 < count ? words[++i] : nullptr)) {
      return false;
    }
  }
  if (arguments.seeds == 0 && arguments.steps == 0) {
    (arguments.seed_given ? arguments.seeds : arguments.steps) =
        arguments.seed_given ? 1 : 1'000'000;
  }
  return true;
}

Scenario scenario_of(const Arguments& arguments, std::uint64_t seed) {
  Scenario scenario = draw_scenario(seed);
  if (arguments.is_forced) force(scenario, arguments.forced);
  return scenario;
}

void add(Figures& total, const Figures& one) {
  total.steps += one.steps;
  total.turns += one.turns;
  total.lives += one.lives;
  total.virtual_time = total.virtual_time + one.virtual_time;
  for (std::size_t i = 0; i < kFaults; ++i) total.strikes[i] += one.strikes[i];
  for (std::size_t i = 0; i < one.hits.slots.size(); ++i) total.hits.slots[i] += one.hits.slots[i];
  for (std::size_t i = 0; i < one.hits.tasks.size(); ++i) total.hits.tasks[i] += one.hits.tasks[i];
  for (std::size_t i = 0; i < one.hits.breakers.size(); ++i) {
    total.hits.breakers[i] += one.hits.breakers[i];
  }
  for (std::size_t i = 0; i < one.hits.recoveries.size(); ++i) {
    total.hits.recoveries[i] += one.hits.recoveries[i];
  }
}

// Runs the seed again with a trace, since normal runs keep none.
void print_violation(const Arguments& arguments, std::uint64_t seed, const RunResult& broken) {
  Trace trace(false);
  if (!arguments.trace) {
    (void)run_scenario(scenario_of(arguments, seed), &trace);
    for (const std::string& line : trace.last()) std::printf("  %s\n", line.c_str());
  }
  std::printf("VIOLATION rule=%s seed=%llu at=%s: %s\n", broken.violation->rule.c_str(),
              static_cast<unsigned long long>(seed), describe(broken.at).c_str(),
              broken.violation->text.c_str());
}

template <class Rows>
int print_missing(const Rows& rows, const std::vector<std::uint64_t>& hits, const char* table) {
  int missing = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (hits[i] > 0) continue;
    ++missing;
    std::printf("never taken: %s: %s --%s--> %s\n", table,
                std::string(name_of(rows[i].from)).c_str(),
                std::string(name_of(rows[i].on)).c_str(), std::string(name_of(rows[i].to)).c_str());
  }
  return missing;
}

void print_figures(const Figures& total, std::uint64_t seeds, double elapsed) {
  std::printf(
      "%llu seeds (%.0f/s), %llu steps (%.0f/s), %llu turns, %llu lives, %.1f virtual hours\n",
      static_cast<unsigned long long>(seeds), static_cast<double>(seeds) / elapsed,
      static_cast<unsigned long long>(total.steps), static_cast<double>(total.steps) / elapsed,
      static_cast<unsigned long long>(total.turns), static_cast<unsigned long long>(total.lives),
      static_cast<double>(total.virtual_time.ns) / 3.6e12);
  std::printf("faults:");
  for (std::size_t i = 0; i < kFaults; ++i) {
    std::printf(" %s %llu", std::string(kFaultRows[i].name).c_str(),
                static_cast<unsigned long long>(total.strikes[i]));
  }
  std::printf("\n");
}

int run(const Arguments& arguments) {
  Figures total;
  total.hits = {std::vector<std::uint64_t>(kSlotRows.size()),
                std::vector<std::uint64_t>(kTaskRows.size()),
                std::vector<std::uint64_t>(kBreakerRows.size()),
                std::vector<std::uint64_t>(kRecoveryRows.size())};
  std::uint64_t seeds = 0;
  const auto start = std::chrono::steady_clock::now();
  while ((arguments.seeds == 0 || seeds < arguments.seeds) &&
         (arguments.steps == 0 || total.steps < arguments.steps)) {
    const std::uint64_t seed = arguments.seed + seeds;
    g_seed = seed;
    Trace trace(true);
    const auto result =
        run_scenario(scenario_of(arguments, seed), arguments.trace ? &trace : nullptr);
    ++seeds;
    add(total, result.figures);
    if (!result.violation) continue;
    print_violation(arguments, seed, result);
    std::printf("found after %llu seeds, %llu steps\n", static_cast<unsigned long long>(seeds),
                static_cast<unsigned long long>(total.steps));
    return 1;
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  print_figures(total, seeds, elapsed.count());
  if (!arguments.coverage) return 0;
  const int missing = print_missing(kSlotRows, total.hits.slots, "slot") +
                      print_missing(kTaskRows, total.hits.tasks, "task") +
                      print_missing(kBreakerRows, total.hits.breakers, "breaker") +
                      print_missing(kRecoveryRows, total.hits.recoveries, "recovery");
  constexpr std::size_t rows =
      kSlotRows.size() + kTaskRows.size() + kBreakerRows.size() + kRecoveryRows.size();
  std::printf("rows taken: %zu of %zu\n", rows - static_cast<std::size_t>(missing), rows);
  return missing == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
  Arguments arguments;
  if (!read_arguments(count, words, arguments)) return 2;
  std::signal(SIGABRT, on_abort);
  std::signal(SIGSEGV, on_abort);
  return run(arguments);
}
