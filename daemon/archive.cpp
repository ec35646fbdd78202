// Written as it happens and not synced: it is a courtesy to people, the bound is what protects the
// daemon. A file that cannot be written is told once, not for every letter.
#include "daemon/archive.hpp"

namespace warmpool::daemon {

void Archive::tell(const std::string& fault) {
  if (told_) return;
  told_ = true;
  log_.error("dead letters beyond dead_max, dead_bytes_max or dead_age_max are lost: " + fault);
}

void Archive::add(TaskId task) {
  if (++count_ == 1) {
    log_.warn("dead letters exceed their bounds; the oldest move to " +
              (file_.path().empty() ? "nowhere" : file_.path()) +
              "; see dead_max, and: warmpool dlq ls");
  }
  const auto line = describe_ ? describe_(task) : std::nullopt;
  if (!line) return;
  if (auto added = file_.append(*line); !added) tell(added.error().text);
}

}  // namespace warmpool::daemon
