// How a worker fares, in one figure from 0 to 1000, and what dispatch makes of it. It ends nobody
// and is no verdict: those are in verdict.hpp.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <tuple>
#include <vector>

#include "pool/health_words.hpp"
#include "pool/ids.hpp"
#include "pool/options.hpp"
#include "pool/time.hpp"
#include "pool/worker_event.hpp"

namespace warmpool {

inline constexpr std::uint16_t kScoreMax = 1000;

// What one part is worth. Not known: it is left out, and the others count for more.
struct PartScore {
  bool known = false;
  std::uint16_t value = 0;
  HealthReason reason{};  // that it is not kScoreMax
};
using PartScores = std::array<PartScore, Words<HealthPart>::rows.size()>;

// How often tasks of a type fail at the workers of a class, as far as one of them may be held
// against the others. Only a change of worker counts, so that one which fails at once, and so is
// given most of the tasks, does not make its failures usual.
class PeerRates {
 public:
  // Per mille; nullopt: nobody but this one has run the type lately.
  std::optional<std::uint16_t> of_others(TypeId type, WorkerId worker, Instant now) const;
  void add(TypeId type, WorkerId worker, bool failed, Instant now);

  static auto fields(auto& self) {
    auto& [rates] = self;
    return std::tie(rates);
  }

 private:
  struct Rate {
    WorkerId last;  // that ran it
    Instant at;     // when another one than before did
    std::uint16_t failing = 0;
    bool several = false;
  };
  std::vector<Rate> rates_;  // by type
};

// What a score is made of beside what Health remembers.
struct Situation {
  Instant now, heard_at;
  Instant moved_at;   // of what it runs; kNever: it runs nothing
  Duration patience;  // after which what it runs is slow
  Duration heartbeat_interval, dead_after;
  bool beatless = false, stopped = false;
  std::uint64_t memory = 0, memory_max = 0;  // memory 0: not known
};

// One worker's. Order: begin() with each life. Units: shares are per mille.
class Health {
 public:
  struct Run {
    bool failed = false;
    std::optional<std::uint16_t> others{};  // how often its type fails at others
    Duration service, usual;                // usual 0: not known
    Instant at;
  };

  void begin(Instant now);
  void ran(const Run& run);
  void measured(const event::Measures& measures, bool idle, Instant now);
  // These three: whether its band is another one now.
  bool checked(const event::WorkerChecked& check, std::uint64_t threshold, Instant now);
  bool flag(bool degraded, Instant now);
  // It is not checked any more.
  bool uncheck(Instant now);
  // Order: after ran() and measured().
  bool judge(const Situation& situation, const ClassOptions& options);
  void forgive() { check_failures_ = 0; }

  PartScores parts(const Situation& situation) const;

  std::uint16_t score() const { return score_; }
  bool is_known() const { return known_; }
  Band band() const { return band_; }
  // Why it is in its band; of a healthy one why its lowest part is low.
  HealthReason reason() const;
  Instant band_since() const { return band_since_; }
  bool in_spiral() const { return surprise_ >= kSpiral; }
  bool is_flagged() const { return flagged_; }
  bool fails_check() const { return check_failed_; }
  // How much more often than at its peers its tasks fail, 0 .. kScoreMax.
  std::uint16_t blame() const;

  // Inputs, to be shown.
  const event::Measures& last() const { return last_; }
  Instant measured_at() const { return measured_at_; }
  std::uint16_t failing() const { return failing_; }
  std::uint16_t expected() const { return expected_; }
  std::uint32_t failures_in_row() const { return row_; }
  std::optional<std::uint16_t> speed() const;
  std::uint32_t descriptors_base() const { return descriptors_base_; }
  std::uint32_t checks() const { return checks_; }
  std::uint32_t check_failures() const { return check_failures_; }
  Instant checked_at() const { return checked_at_; }
  Duration check_took() const { return check_took_; }

  static auto fields(auto& self) {
    auto& [score, failing, expected, judged, row, surprise, ran_at, speed, speeds, last,
           measured_at, judged_at, moved_at, descriptors_base, scored, band, band_since, known,
           flagged, check_failed, lowest, checks, check_failures, check_threshold, checked_at,
           check_took] = self;
    return std::tie(score, failing, expected, judged, row, surprise, ran_at, speed, speeds, last,
                    measured_at, judged_at, moved_at, descriptors_base, scored, band, band_since,
                    known, flagged, check_failed, lowest, checks, check_failures, check_threshold,
                    checked_at, check_took);
  }

 private:
  // Sixteenths of a bit: by chance it happens once in a million times.
  static constexpr std::uint32_t kSpiral = 20 * 16;

  PartScore liveness(const Situation& situation) const;
  PartScore activity(const Situation& situation) const;
  PartScore errors() const;
  PartScore resources(const Situation& situation) const;
  PartScore velocity() const;
  bool settle(Instant now);
  void smooth(std::uint16_t raw, Instant now, Duration over);

  std::uint16_t score_ = kScoreMax;
  std::uint16_t failing_ = 0, expected_ = 0;  // of runs that can be held against those of others
  std::uint8_t judged_ = 0;                   // such runs, at most 255
  std::uint32_t row_ = 0;                     // of these, that failed in a row
  std::uint32_t surprise_ = 0;                // that this is
  Instant ran_at_;                            // the last of them
  std::uint16_t speed_ = 0;                   // beside what is usual
  std::uint8_t speeds_ = 0;
  event::Measures last_;
  Instant measured_at_, judged_at_, moved_at_;
  std::uint32_t descriptors_base_ = 0;
  Band scored_{}, band_{};  // by its score alone, and in all
  Instant band_since_;
  bool known_ = false, flagged_ = false, check_failed_ = false;
  HealthReason lowest_{};
  std::uint32_t checks_ = 0, check_failures_ = 0, check_threshold_ = 1;  // failures in a row
  Instant checked_at_;
  Duration check_took_;
};

// The band of a score, for one that was in another.
Band band_of(Band was, std::uint16_t score, const ClassOptions& options);

// Part of check_options(). Errors: what is wrong, and what to give instead.
Result<void> check_health(const ClassOptions& options);

}  // namespace warmpool
