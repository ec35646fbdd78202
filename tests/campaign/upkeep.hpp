// What a daemon must do and come back to whatever was done to it, seen from outside (I4, I5, I6 of
// the fault campaign).
#pragma once

#include <chrono>
#include <set>
#include <string>
#include <sys/types.h>
#include <vector>

#include "tests/campaign/workers/watch.hpp"

namespace warmpool::campaign {

using Names = std::set<std::string>;

// What lies in a directory of bodies, and what the rows of a database name. Order: no daemon runs.
// Errors: a name that says why.
Names files_in(const std::string& directory);
Names files_named_by(const std::string& database);
// One line for each name that is in one of both alone.
std::vector<std::string> differences(const Names& files, const Names& rows);
// Names in a state directory that something unfinished has: FILE.part, FILE.new.
std::vector<std::string> half_made(const Names& files);

// Deaths of workers that were told, by who caused them.
struct Causes {
  std::uint64_t kills = 0;    // by the campaign
  std::uint64_t crashes = 0;  // by tasks that were made to
};
// Deaths that nobody caused: the first line of each kind.
std::vector<std::string> unexplained(const std::vector<Heard>& heard, const Causes& causes);

// Milliseconds until a new client had the health; negative: there was no answer.
double health_within(const std::string& socket);
// The share of one core that the process used. Blocks: for `duration`.
double cpu_share(pid_t pid, std::chrono::milliseconds duration);

}  // namespace warmpool::campaign
