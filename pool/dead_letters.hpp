// The dead letter queue: what died, in the order of its death, and what of it is to move to the
// archive because of a bound. A letter over a bound stays one until the archive has it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <tuple>

#include "pool/ids.hpp"
#include "pool/options.hpp"
#include "pool/time.hpp"

namespace warmpool {

// Bounds: what it holds is what is dead now: who is retried or removed out of the middle leaves
//   nothing behind. On their way to the archive are at most kArchivingMax, and one at a time after
//   a failure, which also waits.
class DeadLetters {
 public:
  static constexpr std::uint64_t kArchivingMax = 64;
  static constexpr std::uint64_t kArchivingBytesMax = 8U << 20;  // reached by the last of them
  static constexpr Duration kPauseMin = seconds(1), kPauseMax = seconds(60);

  void add(TaskId task, std::uint32_t bytes, Instant at);
  // It is none any more: retried, removed or archived.
  void erase(TaskId task);

  // When the oldest that is not on its way must move to the archive; kNever: no time is set.
  Instant due(const Options& options) const;
  // Order: only when there is a time for it.
  TaskId oldest() const;
  void begin_archive(TaskId task);
  bool is_archiving(TaskId task) const;
  void archived();
  void not_archived(TaskId task, Instant now);

  // How many letters, and how many bytes, are beyond the bounds.
  std::uint64_t over(const Options& options) const;
  std::uint64_t bytes_over(const Options& options) const;

  // In the order of their ids.
  void each(auto&& visit) const {
    for (const auto& [task, letter] : letters_) visit(task);
  }

  static auto fields(auto& self) {
    auto& [letters, waiting, deaths, bytes, archiving, archiving_bytes, failures, again_at] = self;
    return std::tie(letters, waiting, deaths, bytes, archiving, archiving_bytes, failures,
                    again_at);
  }

 private:
  // Those of one moment in the order in which they were told.
  struct Death {
    Instant at;
    std::uint64_t number;
    friend constexpr auto operator<=>(const Death&, const Death&) = default;
  };
  struct Letter {
    Death death;
    std::uint32_t bytes;
    bool archiving;  // on its way
  };

  std::map<TaskId, Letter> letters_;
  std::map<Death, TaskId> waiting_;  // those that are not on their way
  std::uint64_t deaths_ = 0, bytes_ = 0;
  std::uint64_t archiving_ = 0, archiving_bytes_ = 0;
  std::uint64_t failures_ = 0;  // of the archive, in a row
  Instant again_at_;            // not before
};

}  // namespace warmpool
