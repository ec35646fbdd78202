// The table of faults of workers: one row a kind, by the numbers of the fault campaign.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/campaign/workers/trial.hpp"

namespace warmpool::campaign {

// What of this machine a kind is about.
enum class Needs : std::uint8_t {
  Nothing,
  Cgroup,
  NoCgroup,
  MemoryLimits,
  MemoryAround,
  PidsLimits,
  PidsAround
};

// Which of the figures that are aimed at it is about.
enum class About : std::uint8_t {
  Nothing,
  Death,
  Hang,
  FalseAlarm,
  Escape,
  ForkStorm,
  RestartStorm,
  HardLimit,
  Wear
};

struct Kind {
  std::string id, fault, expected;
  Needs needs = Needs::Nothing;
  About about = About::Nothing;
  unsigned share = 100;  // percent of --runs; at least one run
  Terms terms{};
  // Injects it `runs` times. Everything is counted in the trial's figures.
  std::function<void(Trial&, std::uint64_t runs)> run{};
};
using Kinds = std::vector<Kind>;

Kinds death_kinds();   // W01 to W04, W24: it ends by itself or by a signal
Kinds hang_kinds();    // W05 to W09, W17, W18: it lives and does not do what it should
Kinds memory_kinds();  // W11 to W13: it takes more than it may
Kinds escape_kinds();  // W14, W15: what it started gets out of its tree
Kinds start_kinds();   // W20 to W22, W31: it does not come up
Kinds pool_kinds();    // W00, W19, W26, W27, W30, W32: many of them, or their daemon
Kinds time_kinds();    // W29: the machine has no time for them
Kinds all_kinds();     // by their numbers

// What a victim may take in the kinds about memory.
inline constexpr std::uint64_t kSoftMiB = 24, kHardMiB = 96;
std::string memory_terms();  // TOML lines of its class

// One that suffers the same fault again and again, in a fresh worker each time.
inline std::function<void(Trial&, std::uint64_t)> again(Fault fault) {
  return [fault = std::move(fault)](Trial& trial, std::uint64_t runs) {
    for (std::uint64_t run = 0; run < runs; ++run) trial.suffer(fault);
  };
}

}  // namespace warmpool::campaign
