// The breaker over the recovery of one class: counts replacements that die and were of no use, and
// says when further ones are to wait. What follows is decided in recovery.cpp.
//
// Bounds: as many dates as the option recovery_deaths says.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <tuple>

#include "pool/ids.hpp"
#include "pool/options.hpp"
#include "pool/recovery_machine.hpp"
#include "pool/time.hpp"

namespace warmpool {

class RecoveryGate {
 public:
  RecoveryState state() const { return state_; }
  RecoveryWhy why() const { return why_; }
  Instant since() const { return since_; }
  Instant until() const { return until_; }  // while it is open
  std::uint64_t opened() const { return opened_; }
  std::uint64_t openings() const { return openings_; }  // since it was shown to be of use
  bool shut() const { return state_ != RecoveryState::Closed; }

  // A replacement died and was of no use. True: that are too many.
  bool died(Instant now, const ClassOptions& options);
  std::uint32_t deaths(Instant now, Duration window) const;
  // A worker of the class was of use: what died before says nothing any more; nor, of the probe or
  // while it is closed, how often it opened.
  void proved(SlotId slot);

  // Order: all that change the state come with the row that allows it (kRecoveryRows).
  void open(RecoveryTrigger trigger, RecoveryWhy why, Instant now, Instant until);
  void half_open(Instant now);
  void close(RecoveryTrigger trigger, RecoveryWhy why, Instant now);

  // While it is half-open: who tries, and from when on that is proof enough.
  bool has_probe() const { return has_probe_; }
  SlotId probe() const { return probe_; }
  bool is_probe(SlotId slot) const { return has_probe_ && probe_ == slot; }
  Instant proved_at() const { return proved_at_; }
  void set_probe(SlotId slot);
  void probe_ready(Instant proved_at) { proved_at_ = proved_at; }
  void drop_probe() { has_probe_ = false; }

  const std::array<std::uint64_t, kRecoveryRows.size()>& row_hits() const { return row_hits_; }

  static auto fields(auto& self) {
    auto& [state, why, since, until, proved_at, deaths, probe, has_probe, openings, opened,
           row_hits] = self;
    return std::tie(state, why, since, until, proved_at, deaths, probe, has_probe, openings, opened,
                    row_hits);
  }

 private:
  void fire(RecoveryTrigger trigger);

  RecoveryState state_ = RecoveryState::Closed;
  RecoveryWhy why_ = RecoveryWhy::Off;
  Instant since_, until_, proved_at_ = kNever;
  std::deque<Instant> deaths_;
  SlotId probe_{};
  bool has_probe_ = false;
  std::uint64_t openings_ = 0, opened_ = 0;
  std::array<std::uint64_t, kRecoveryRows.size()> row_hits_{};
};

}  // namespace warmpool
