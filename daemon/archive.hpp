// Where dead letters go that exceed their bounds, so that none is dropped silently: a letter stays
// one until it is in the archive for good.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "daemon/archive_file.hpp"
#include "daemon/log.hpp"
#include "pool/command.hpp"
#include "pool/event.hpp"
#include "pool/options.hpp"

namespace warmpool::daemon {

struct ArchiveFigures {
  std::string path;
  std::uint64_t archived = 0;                   // of this life, as the others
  std::uint64_t failures = 0;                   // letters that it was tried with in vain
  std::uint64_t lost = 0;                       // lines that went with the oldest file
  std::string trouble;                          // why it takes nothing now; empty: it does
  std::optional<Instant> archived_at, lost_at;  // the last time
};

// Reason for the thread ("warmpool-dead"): lines are synced before anybody hears of them, and the
// loop must not wait for a disk. What is given while it writes is one group with one sync. Threads:
// the main one's, but for what the thread does with the file.
class Archive {
 public:
  // None: the store has no such letter.
  using Describe = std::function<std::optional<ArchiveLetter>(const command::Archive&)>;

  // `path` empty: it takes nothing.
  Archive(std::string path, Log& log);
  // What has not been begun is left. Blocks: until what was begun is written.
  ~Archive();

  void describe_by(Describe describe) { describe_ = std::move(describe); }
  void set_bounds(const Options& options);
  void carry(const command::Archive& command);
  // An eventfd that is written when there are answers.
  int fd() const { return event_.get(); }
  // For the core. Says in the log what people should know, the same not more than once a minute.
  std::vector<event::Archived> take_answers(Instant now);
  // What was not yet said.
  void tell_rest(Instant now);
  const ArchiveFigures& figures() const { return figures_; }

 private:
  struct Bounds {
    std::uint64_t bytes_max = 0, files_max = 1;
  };
  struct Answers {
    std::vector<event::Archived> letters;
    std::uint64_t lost = 0;
    std::vector<TaskId> unreadable;  // they are without their payloads there
    std::string trouble;             // of the newest group
  };

  void run();
  std::optional<std::vector<ArchiveLetter>> wait();  // none: it is to end
  Answers write(const std::vector<ArchiveLetter>& letters);
  void tell_trouble(const std::string& trouble, Instant now);

  Log& log_;
  Describe describe_;
  ipc::UniqueFd event_;
  ArchiveFigures figures_;
  std::uint64_t archived_told_ = 0, lost_told_ = 0;
  Instant tell_at_, trouble_at_;  // not before

  std::mutex mutex_;  // of what follows up to the empty line
  std::condition_variable wake_;
  std::vector<ArchiveLetter> queue_;
  Answers answers_;
  Bounds bounds_;
  bool quits_ = false;

  ArchiveFile file_;  // the thread's own
  std::thread thread_;
};

}  // namespace warmpool::daemon
