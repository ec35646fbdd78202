// The ways in which a process that a task starts gets out of its worker's tree. Each process that
// is made writes its number down, is one of at most kStraysMax, and ends kStrayLifeSeconds after
// the first one, whatever happens.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace warmpool::campaign {

inline constexpr unsigned kStrayLifeSeconds = 20;
inline constexpr unsigned kStraysMax = 64;

// fork, double-fork, setsid, setpgid, nohup, daemon, respawn, storm; then without-mark.
std::vector<std::string_view> stray_ways();

// Makes them, and returns when they are there. `file`: one line each, its number and its start
// time (field 22 of /proc/PID/stat). False: there is no such way.
bool make_strays(std::string_view way, const std::string& file);

// `count` processes that init adopts, each of which ends with its own status when this process
// ends, however it does.
void make_orphans(unsigned count);

// A process that leaves session and group, keeps all descriptors, and appends "task attempt
// nanoseconds" to `file` each 2 ms.
void make_witness(const std::string& file, const std::string& name);

}  // namespace warmpool::campaign
