// A cgroup of one controller around a whole daemon and its workers, as a container has one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace warmpool::campaign {

// Owns: its directory, which goes with it. Order: what lived in it has ended by then.
class ControlGroup {
 public:
  // "memory", "cpu" or "pids", of v1 or v2. Null: this machine has none, or does not let us make
  // one.
  static std::unique_ptr<ControlGroup> make(const std::string& controller);
  static bool possible(const std::string& controller) { return make(controller) != nullptr; }

  ~ControlGroup();
  ControlGroup(const ControlGroup&) = delete;
  ControlGroup& operator=(const ControlGroup&) = delete;

  // A program, as a shell reads it, that runs a command in it, with the same process number.
  std::string wrapper() const;
  // False: the kernel refused.
  bool limit_memory(std::uint64_t bytes) const;
  // Of one core; 0: any.
  bool limit_cpu(unsigned percent) const;
  // Of processes and threads; what is there stays, also above it. 0: any.
  bool limit_pids(unsigned count) const;
  // Kills for memory that the kernel made in it.
  std::uint64_t oom_kills() const;

 private:
  ControlGroup(std::string path, bool v2) : path_(std::move(path)), v2_(v2) {}
  bool write(const std::string& file, const std::string& text) const;

  std::string path_;
  bool v2_;
};

// The directories that a daemon made for the life in which it started this process: below them are
// those of its workers. Empty: it made none.
std::vector<std::string> life_directories_of(pid_t worker);
// Whether the directory of this worker there has this file, such as "pids.max".
bool is_limited_by(pid_t worker, const std::string& file);

}  // namespace warmpool::campaign
