// The campaigns. Each returns the exit status of the program: 0 nothing was found, 1 something was.
#pragma once

#include <cstdint>
#include <string>

namespace warmpool::campaign {

struct Plan {
  std::uint64_t runs = 0;
  std::uint64_t seed = 1;
  std::uint64_t files = 20'000;
  std::uint64_t minutes = 0;
  std::uint64_t stride = 1;
  std::uint64_t every_s = 0;  // of the soak: a fault of each worker; 0: without a pause
  std::uint64_t workers = 0;  // 0: as the campaign has it
  std::string kinds{};        // of worker faults, "W01,W15"; empty: all
  std::string out{};          // directory of the report; empty: printed only
};

// `runs` kills -9 of a daemon at work, with clients that go on.
int kill_campaign(const Plan& plan);
// Each failpoint of a daemon made for it, at `runs` different counts.
int sweep_campaign(const Plan& plan);
// Each failpoint of it at each `stride`-th count that a life of a fixed script comes to.
int calls_campaign(const Plan& plan);
// `runs` lives of that daemon in which an allocation fails, of its own or of SQLite's.
int memory_campaign(const Plan& plan);
// `runs` seeds of records, the power cut at each sync of each.
int power_campaign(const Plan& plan);
// `runs` seeds of records, each call of the database fails for each, once and on and on.
int faults_campaign(const Plan& plan);
// `runs` files of stores are spoiled.
int flips_campaign(const Plan& plan);
// One `warmpool map` over `files` files, with `runs` kills -9 of its daemon.
int map_campaign(const Plan& plan);
// Each kind of worker fault, `runs` times or its share of them. 2: there is no such kind.
int workers_campaign(const Plan& plan);
// One daemon under steady load for `minutes`, with kinds of worker faults drawn at random; each of
// them once at least.
int soak_campaign(const Plan& plan);
// What a daemon costs that has nothing to do but to watch its workers: for `minutes` while they are
// idle, then for as long while they are busy and say nothing.
int watching_campaign(const Plan& plan);

}  // namespace warmpool::campaign
