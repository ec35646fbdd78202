// Two maps, so that each change costs a logarithm and nothing is ever swept: a queue that drops
// what is stale only at its front grows without end behind one letter that nobody touches.
#include "pool/dead_letters.hpp"

#include <algorithm>

#include "pool/jitter.hpp"
#include "pool/require.hpp"

namespace warmpool {

void DeadLetters::add(TaskId task, std::uint32_t bytes, Instant at) {
  const Death death{at, ++deaths_};
  const bool is_new = letters_.emplace(task, Letter{death, bytes, false}).second;
  REQUIRE(is_new);
  waiting_.emplace(death, task);
  bytes_ += bytes;
}

void DeadLetters::erase(TaskId task) {
  const auto found = letters_.find(task);
  REQUIRE(found != letters_.end());
  const Letter& letter = found->second;
  bytes_ -= letter.bytes;
  if (letter.archiving) {
    --archiving_;
    archiving_bytes_ -= letter.bytes;
  } else {
    waiting_.erase(letter.death);
  }
  letters_.erase(found);
}

// Those on their way count as gone: it is not known yet, and others are not to go instead.
Instant DeadLetters::due(const Options& options) const {
  const std::uint64_t at_once = failures_ == 0 ? kArchivingMax : 1;
  if (waiting_.empty() || archiving_ >= at_once || archiving_bytes_ >= kArchivingBytesMax) {
    return kNever;
  }
  const bool too_many = letters_.size() - archiving_ > options.dead_max ||
                        bytes_ - archiving_bytes_ > options.dead_bytes_max;
  const Instant died = waiting_.begin()->first.at;
  return std::max(again_at_, too_many ? Instant{} : died + options.dead_age_max);
}

TaskId DeadLetters::oldest() const { return waiting_.begin()->second; }

void DeadLetters::begin_archive(TaskId task) {
  Letter& letter = letters_.at(task);
  letter.archiving = true;
  waiting_.erase(letter.death);
  ++archiving_;
  archiving_bytes_ += letter.bytes;
}

bool DeadLetters::is_archiving(TaskId task) const {
  const auto found = letters_.find(task);
  return found != letters_.end() && found->second.archiving;
}

void DeadLetters::archived() {
  failures_ = 0;
  again_at_ = {};
}

// What was on its way together fails together, and counts once.
void DeadLetters::not_archived(TaskId task, Instant now) {
  Letter& letter = letters_.at(task);
  letter.archiving = false;
  waiting_.emplace(letter.death, task);
  --archiving_;
  archiving_bytes_ -= letter.bytes;
  if (again_at_ > now) return;
  again_at_ = now + backoff(kPauseMin, 2, ++failures_, kPauseMax);
}

std::uint64_t DeadLetters::over(const Options& options) const {
  const std::uint64_t count = letters_.size();
  return count > options.dead_max ? count - options.dead_max : 0;
}

std::uint64_t DeadLetters::bytes_over(const Options& options) const {
  return bytes_ > options.dead_bytes_max ? bytes_ - options.dead_bytes_max : 0;
}

}  // namespace warmpool
