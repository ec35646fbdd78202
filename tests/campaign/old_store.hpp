// Stores as earlier versions of the daemon left them.
#pragma once

#include <string>

#include "tests/e2e/real_daemon.hpp"

namespace warmpool::campaign {

// Before the version that this daemon writes.
inline constexpr int kOldVersions = 5;

// Makes STATE/warmpool.db of this version, from 1: two tasks that wait, one of them for its second
// attempt, a dead letter and a result. Errors: a text that says why.
std::string make_old_store(const std::string& state_directory, int version);
// What is not as it must be once a daemon has had such a store for a while; empty: nothing.
// Blocks: until its tasks are done.
std::string fault_of_old_store(const test::RealDaemon& daemon);

}  // namespace warmpool::campaign
