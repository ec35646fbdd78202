// What the start of a program is made of: pipes, file actions, attributes.
#pragma once

#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <string>
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

class SpawnActions {
 public:
  SpawnActions() { ::posix_spawn_file_actions_init(&actions_); }
  ~SpawnActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;

  void move(const ipc::UniqueFd& from, int to) {
    ::posix_spawn_file_actions_adddup2(&actions_, from.get(), to);
  }
  void read_nothing() {
    ::posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
  }
  void change_directory(const std::string& path) {
    ::posix_spawn_file_actions_addchdir_np(&actions_, path.c_str());
  }
  void close_others() { ::posix_spawn_file_actions_addclosefrom_np(&actions_, 3); }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

// Leads a new process group, or stays in that of its worker.
enum class SpawnGroup { Own, Workers };

// No signal blocked or ignored.
class SpawnAttributes {
 public:
  explicit SpawnAttributes(SpawnGroup group) {
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setflags(&attributes_,
                               (group == SpawnGroup::Own ? POSIX_SPAWN_SETPGROUP : 0) |
                                   POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    sigset_t signals;
    sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes_, &signals);
    sigfillset(&signals);
    ::posix_spawnattr_setsigdefault(&attributes_, &signals);
  }
  ~SpawnAttributes() { ::posix_spawnattr_destroy(&attributes_); }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

}  // namespace warmpool::worker::stock
