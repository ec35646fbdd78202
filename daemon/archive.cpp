// After the first letter of a group that cannot be written the rest is not tried: the disk would be
// asked in vain for each, and the core comes again with one.
#include "daemon/archive.hpp"

#include <sys/eventfd.h>
#include <unistd.h>
#include <utility>

#include "daemon/quiet_thread.hpp"

namespace warmpool::daemon {
namespace {

constexpr Duration kTellPause = seconds(60);

std::string counted(std::uint64_t letters) {
  return std::to_string(letters) + (letters == 1 ? " dead letter" : " dead letters");
}

}  // namespace

Archive::Archive(std::string path, Log& log)
    : log_(log),
      event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      file_(path),
      thread_(quiet_thread("warmpool-dead", [this] { run(); })) {
  figures_.path = std::move(path);
}

Archive::~Archive() {
  {
    const std::lock_guard lock(mutex_);
    quits_ = true;
    queue_.clear();
  }
  wake_.notify_one();
  thread_.join();
}

void Archive::set_bounds(const Options& options) {
  const std::lock_guard lock(mutex_);
  bounds_ = {options.dead_archive_bytes_max, options.dead_archive_files_max};
}

void Archive::carry(const command::Archive& command) {
  auto letter = describe_(command);
  if (!letter) {  // nothing is there that could be lost
    log_.error("dead letter " + std::to_string(command.task.value) + " is not in the store");
    const std::lock_guard lock(mutex_);
    answers_.letters.push_back({command.task, command.round, true});
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(*letter));
  }
  wake_.notify_one();
}

std::optional<std::vector<ArchiveLetter>> Archive::wait() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return quits_ || !queue_.empty(); });
  if (quits_) return std::nullopt;
  file_.set_bounds(bounds_.bytes_max, bounds_.files_max);
  return std::exchange(queue_, {});
}

void Archive::run() {
  while (const auto letters = wait()) {
    auto written = write(*letters);
    {
      const std::lock_guard lock(mutex_);
      auto& all = answers_.letters;
      all.insert(all.end(), written.letters.begin(), written.letters.end());
      answers_.lost += written.lost;
      answers_.unreadable.insert(answers_.unreadable.end(), written.unreadable.begin(),
                                 written.unreadable.end());
      answers_.trouble = std::move(written.trouble);
    }
    const std::uint64_t one = 1;
    (void)!::write(event_.get(), &one, sizeof one);
  }
}

Archive::Answers Archive::write(const std::vector<ArchiveLetter>& letters) {
  Answers answers;
  Result<void> good;
  std::size_t begun = 0;  // the first that has no answer
  const auto answer = [&](std::size_t end, bool kept) {
    for (; begun < end; ++begun) {
      answers.letters.push_back({letters[begun].task, letters[begun].round, kept});
    }
  };
  const auto sync = [&](std::size_t end) {
    const auto synced = file_.sync();
    answer(end, static_cast<bool>(synced));
    if (good && !synced) good = synced.error();
  };
  std::size_t at = 0;
  for (; at < letters.size() && good; ++at) {
    const ArchiveLine line =
        letters[at].lost ? ArchiveLine(letters[at], kPayloadLost) : ArchiveLine(letters[at]);
    if (!file_.has_room(line.bytes())) {
      sync(at);
      if (good) good = file_.rotate();
    }
    if (good) good = file_.append(line);
    // One whose payload is lost must not hold up the others for ever: what is known of it is kept.
    if (!good && !line.unreadable().empty()) {
      good = file_.append(ArchiveLine(letters[at], line.unreadable()));
      answers.unreadable.push_back(letters[at].task);
    }
    if (!good) break;
  }
  sync(at);
  answer(letters.size(), false);
  answers.lost = file_.take_lost();
  if (!good) answers.trouble = good.error().text;
  return answers;
}

std::vector<event::Archived> Archive::take_answers(Instant now) {
  Answers answers;
  {
    const std::lock_guard lock(mutex_);
    answers.letters = std::exchange(answers_.letters, {});
    answers.lost = std::exchange(answers_.lost, 0);
    answers.unreadable = std::exchange(answers_.unreadable, {});
    answers.trouble = answers_.trouble;
  }
  for (const auto task : answers.unreadable) {
    log_.error("dead letter " + std::to_string(task.value) +
               " goes to the archive without its payload, which cannot be read any more");
  }
  if (answers.letters.empty()) return {};
  std::uint64_t archived = 0;
  for (const auto& letter : answers.letters) archived += letter.kept;
  figures_.archived += archived;
  figures_.failures += answers.letters.size() - archived;
  figures_.lost += answers.lost;
  if (archived != 0) figures_.archived_at = now;
  if (answers.lost != 0) figures_.lost_at = now;
  tell_trouble(answers.trouble, now);
  tell_rest(now);
  return std::move(answers.letters);
}

void Archive::tell_trouble(const std::string& trouble, Instant now) {
  const bool was = !figures_.trouble.empty();
  figures_.trouble = trouble;
  if (trouble.empty()) {
    if (was) log_.info("the archive of dead letters takes them again");
    trouble_at_ = {};
    return;
  }
  if (now < trouble_at_) return;
  trouble_at_ = now + kTellPause;
  log_.error(
      "dead letters over their bounds stay where they are, because the archive takes none: " +
      trouble + "; it is tried again by itself");
}

void Archive::tell_rest(Instant now) {
  const auto archived = figures_.archived - archived_told_;
  const auto lost = figures_.lost - lost_told_;
  if (now < tell_at_ || (archived == 0 && lost == 0)) return;
  tell_at_ = now + kTellPause;
  archived_told_ = figures_.archived;
  lost_told_ = figures_.lost;
  if (archived != 0) {
    log_.warn(counted(archived) + " beyond dead_max, dead_bytes_max or dead_age_max moved to " +
              figures_.path + "; see warmpool dlq ls, and warmpool dlq import");
  }
  if (lost != 0) {
    log_.warn(counted(lost) + " are gone with the oldest file of the archive " + figures_.path +
              "; see dead_archive_files_max and dead_archive_bytes_max");
  }
}

}  // namespace warmpool::daemon
