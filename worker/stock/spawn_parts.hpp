// What the start of a program is made of: pipes, file actions, attributes.
#pragma once

#include <spawn.h>
#include <string>
#include <utility>
#include <vector>

#include "ipc/fd.hpp"
#include "pool/result.hpp"

namespace warmpool::worker::stock {

// Error::code is the errno.
Error spawn_failure(const std::string& what, int error);

struct Pipe {
  ipc::UniqueFd read_end, write_end;
};

// Both ends are close-on-exec and above 2: were a standard stream closed here, a pipe would take
// its number and the moves in the child would tread on each other.
Result<Pipe> make_pipe();

// Of our end only: the two ends of a pipe are two open files.
void unblock(const ipc::UniqueFd& fd);

// As exec wants them, with a null at the end. Owns: nothing.
std::vector<char*> pointers_to(std::vector<std::string>& texts);

// What the child does before it becomes the program, in this order: moves, /dev/null as its input,
// the directory, the end of all other descriptors.
class SpawnActions {
 public:
  void move(const ipc::UniqueFd& from, int to) { moves_.emplace_back(from.get(), to); }
  void read_nothing() { reads_nothing_ = true; }
  void change_directory(const std::string& path) { directory_ = path; }
  void close_others() { closes_others_ = true; }
  // For posix_spawn. Owns: nothing; this outlives it.
  void add_to(posix_spawn_file_actions_t& actions) const;
  // In a child that was forked; `kept` stays open. Returns the errno, 0: all is done.
  // Order: async-signal-safe, as all between fork and exec has to be.
  int apply(int kept) const;

 private:
  std::vector<std::pair<int, int>> moves_;
  std::string directory_;  // empty: as it is
  bool reads_nothing_ = false, closes_others_ = false;
};

// Leads a new process group, or stays in that of its worker.
enum class SpawnGroup : unsigned char { Own, Workers };
// Whether the kernel ends it when the thread that started it ends. Who ends this worker ends what
// it started too where the daemon started it; nobody does where it joined by itself.
enum class SpawnTie : unsigned char { None, Death };

// No signal blocked or ignored. Returns the errno, also of the exec; 0: `pid` is set.
int spawn(pid_t& pid, const SpawnActions& actions, SpawnGroup group, SpawnTie tie,
          std::vector<char*> argv, std::vector<char*> environment);

}  // namespace warmpool::worker::stock
