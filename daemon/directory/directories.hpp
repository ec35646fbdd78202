// Directories of workers and of attempts: made and prepared before they are used, cleaned and
// removed after.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/directory/back_thread.hpp"
#include "daemon/directory/directory_owner.hpp"
#include "daemon/directory/directory_root.hpp"
#include "daemon/helper_runs.hpp"

namespace warmpool::daemon {

struct DirectoryFigures {
  std::uint64_t made = 0, removed = 0, failed = 0;  // failed: to be made
  std::uint64_t left = 0;                           // files and directories that stayed
  std::string trouble;                              // the last thing that went wrong; empty: none
};

// Reason for the threads ("warmpool-work", "warmpool-sweep"): disks may be slow and trees large,
// and
//   the loop waits for neither. One makes and renames, so that nobody waits while the other one
//   removes and measures. They touch the root alone.
// Order: what is asked of one place, or of one task, happens in that order, one after the other:
//   an attempt's directory is gone before that of the next attempt is made. Answers come later,
//   never within the call.
// Errors: every answer's text names the path and what to do or what the command said.
// Threads: the main one. Blocks: never.
class Directories {
 public:
  // The path, or why there is none.
  using Made = std::function<void(const Result<std::string>&)>;
  using Done = std::function<void(const Result<void>&)>;
  using Measured = std::function<void(const std::vector<Result<std::uint64_t>>&)>;

  // `spec_of`: of a class: whom its commands run as, and with which limits.
  Directories(Services& services, ProcessPort& processes,
              std::function<SpawnSpec(ClassId)> spec_of);
  ~Directories();

  // From here on they are made in there; what earlier lives left of attempts is removed.
  void open(DirectoryRoot root);
  bool is_open() const { return root_.has_value(); }
  std::string root() const { return root_ ? root_->path() : std::string(); }

  // Of an attempt a fresh one. Of a place what it had, or a new one.
  void make(DirectoryOwner owner, Made made);
  // The attempt has ended: its directory is cleaned and removed. One that is being made is not
  // answered any more.
  void release(const DirectoryOwner& owner);
  // Nobody waits for the place's directory any more: what is not made yet is not.
  void give_up(DirectoryOwner place);
  // Of a place: what it had is gone and a new one is prepared. Order: its worker is gone, and none
  // starts before the answer.
  void reset(DirectoryOwner place, Made made);
  // Of a place, for good: its next make() begins anew. Order: its worker is gone.
  void remove(DirectoryOwner place, Done done);
  void measure(std::vector<std::string> paths, Measured measured);

  std::string path_of(const DirectoryOwner& owner) const;
  void sweep() { runs_.sweep(); }
  Instant due() const { return runs_.due(); }
  const DirectoryFigures& figures() const { return figures_; }

 private:
  enum class Kind : std::uint8_t { Make, Remove };
  struct Work {
    Kind kind{};
    DirectoryOwner owner;
    DirectoryName name;
    Made made{};
    Done done{};
    bool dropped = false;     // nobody waits for it
    std::uint64_t run = 0;    // of the command that runs; 0: none
    bool known_class = true;  // false: no class of today cleans it
  };
  using Queue = std::deque<Work>;

  DirectoryName name_of(const DirectoryOwner& owner) const;
  static std::string subject_of(const Work& work);
  void add(Work work);
  void begin(const std::string& subject);
  void end(const std::string& subject, const Result<void>& result);

  bool drop_make(const Work& of);

  void make_next(const std::string& subject);
  void prepare(const std::string& subject);
  void prepared(const std::string& subject, const std::string& fault);
  void clean(const std::string& subject, std::function<void()> then);
  void discard(const std::string& subject, std::function<void(const Result<void>&)> then);
  void destroy(std::string removed);
  void run(const std::string& subject, const std::vector<std::string>& command,
           std::string_view option, std::function<void(const std::string&)> ended);
  void sweep_earlier_lives();
  void find_owner(Work& work) const;
  void note(const std::string& trouble);
  void watch();

  Services& services_;
  std::function<SpawnSpec(ClassId)> spec_of_;
  std::optional<DirectoryRoot> root_;
  HelperRuns runs_;
  std::map<std::string, Queue> queues_;  // by subject; the first of each is at work
  DirectoryFigures figures_;
  BackThread work_, removal_;
  std::unique_ptr<Watch> work_watch_, removal_watch_;
};

}  // namespace warmpool::daemon
