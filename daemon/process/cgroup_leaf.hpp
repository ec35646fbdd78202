// A cgroup (v2) for each worker, where this machine lets us: one write ends all that is in it, also
// what has left its session and wiped its environment.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

#include "daemon/process/life_mark.hpp"
#include "pool/ids.hpp"
#include "pool/time.hpp"

namespace warmpool::daemon {

// How many directories may still be tried in this turn. One try of many is seen by what lies below
// it: that is what a worker can make more of than the loop has time for.
struct Removals {
  static constexpr int kOfTurn = 64;
  static constexpr int kAll = 1 << 30;
  int left = kOfTurn;
  bool met_others = false;  // below what was to be removed
};

// The directory of one worker. Owns: nothing; the directory stays until remove_cgroup().
class CgroupLeaf {
 public:
  explicit CgroupLeaf(std::string path) : path_(std::move(path)) {}

  std::string procs_path() const { return path_ + "/cgroup.procs"; }
  // Best effort, as all here.
  void enter(pid_t pid) const;
  // SIGKILL to all in it. False where the kernel cannot (before 5.14).
  bool kill() const;
  // Kills for memory that the kernel counted here; 0 where it counts none.
  std::uint64_t oom_kills() const;
  // Where the memory controller is on.
  bool counts_ooms() const;
  // A live process is in it. Cost: a line for each that is.
  bool holds(pid_t pid) const;
  // Where the memory controller is on. kUnlimited: any.
  void limit_memory(std::uint64_t bytes) const;
  // False where the pids controller is not on.
  bool limit_pids(std::uint64_t count) const;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Directories of workers that are gone, in which something was still dying.
// Bounds: Removals::kOfTurn tries a call. One with others below it is given up after kTriesMax
// calls: that is no worker's end that takes a while.
class LeavesLeft {
 public:
  static constexpr int kTriesMax = 60;

  void add(std::string path) { leaves_.push_back({std::move(path), 0}); }
  void remove();
  // Since this was asked last.
  std::vector<std::string> take_given_up() { return std::exchange(given_up_, {}); }
  bool empty() const { return leaves_.empty(); }

 private:
  struct Leaf {
    std::string path;
    int tries = 0;
  };
  std::vector<Leaf> leaves_;
  std::vector<std::string> given_up_;
};

// The cgroup of one life of the daemon, below the daemon's own; its leaves are the workers.
class CgroupLife {
 public:
  // None where there is no cgroup v2 or this user may not make one.
  static std::optional<CgroupLife> make(const LifeMark& mark);

  std::optional<CgroupLeaf> make_leaf(WorkerId worker) const;
  void remove() const;
  const std::string& path() const { return path_; }

 private:
  explicit CgroupLife(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// Directories of earlier lives at this place, below this process's own cgroup.
std::vector<std::string> earlier_cgroups(const LifeMark& mark);

// Ends all in it and removes it with all below it. Blocks: until it is empty, at most `within`.
// Lives: it is not. Stays: nothing lives in it, and it cannot be removed.
enum class CgroupEnd : unsigned char { Removed, Stays, Lives };
CgroupEnd end_cgroup(const std::string& path, Duration within);

// Parts that both kinds of cgroup need. The number behind `name` in a file of "name number" lines;
// 0 if it is not there.
std::uint64_t number_in(const std::string& path, std::string_view name);
bool write_number(const std::string& path, std::int64_t number);
std::vector<std::string> directories_in(const std::string& path);
// With all below it, whoever made that. False where one of these stays, or none may be tried more.
bool remove_cgroup(const std::string& path, Removals& left);
bool remove_cgroup(const std::string& path);  // however many that are; not on the loop

// This process's own directory in the v2 hierarchy; empty where there is none.
std::string own_cgroup();

}  // namespace warmpool::daemon
