// The runtime directory of a daemon that one program started for itself (--private): it goes with
// the daemon when that program has ended without having been able to remove it.
#pragma once

#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "pool/result.hpp"

namespace warmpool::daemon {

// Who started this process: whom the kernel calls its parent, unless that has said its number
// itself, which is still right when it has ended by now. A signal at its end does not come any
// more, until follow(). Order: first of all.
pid_t begin_as_private(std::optional<pid_t> owner);

// Owns: what the daemon made in the directory and what it was given there, when its owner has
// ended, and then the directory, if nothing else is in it; nothing before. Order: destroyed after
// all that has something open in it.
class PrivatePlace {
 public:
  // `files`: that the daemon was told to read or write; what its output goes to is known.
  // Errors: the directory holds something else, so that it was not made for this.
  static Result<PrivatePlace> take(std::string path, pid_t owner,
                                   const std::vector<std::string>& files);

  ~PrivatePlace();
  PrivatePlace(PrivatePlace&& other) noexcept;
  PrivatePlace& operator=(PrivatePlace&&) = delete;

  // From here on SIGQUIT comes when the owner ends, or at once where it has. Order: somebody waits
  // for that signal. The kernel means the thread that started this process.
  void follow() const;
  // That signal has come. Its owner may be about to end and not have ended: a program ends thread
  // by thread. The destructor waits for that, at most two seconds.
  void expect_end() { ending_ = true; }

 private:
  PrivatePlace(std::string path, pid_t owner, std::vector<std::string> given)
      : path_(std::move(path)), given_(std::move(given)), owner_(owner) {}
  void remove() const;
  bool is_orphaned() const;
  void await_end() const;

  std::string path_;                // empty: moved from
  std::vector<std::string> given_;  // names in it that its owner made for the daemon
  pid_t owner_;
  bool ending_ = false;
};

}  // namespace warmpool::daemon
