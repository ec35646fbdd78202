// A store that keeps what it is given after a while, in batches, and loses what it had not kept
// when the machine dies: all of a tail, or all but its beginning. Beside it an archive, which takes
// one dead letter after the other, or cannot.
#pragma once

#include <deque>
#include <optional>
#include <unordered_set>
#include <vector>

#include "pool/command.hpp"
#include "pool/event.hpp"
#include "tests/sim/agenda.hpp"
#include "tests/sim/luck.hpp"

namespace warmpool::sim {

class FakeDisk {
 public:
  FakeDisk(const Scenario& scenario, Random& random, Agenda& agenda, Luck& luck)
      : scenario_(scenario), random_(random), agenda_(agenda), luck_(luck) {}

  void carry_out(Instant now, const command::Persist& persist);
  void carry_out(Instant now, const command::Archive& archive);
  std::optional<Event> archived(std::uint64_t life);
  std::optional<Event> synced(Instant now, std::uint64_t syncs);
  std::optional<Event> swing_mood(Instant now);
  void begin(Instant now);
  std::optional<Event> calm_down();

  // The machine died. What is left is in kept().
  void crash();
  const std::vector<Record>& kept() const { return kept_; }

 private:
  void sync(Instant now);
  void undo(Instant now);

  const Scenario& scenario_;
  Random& random_;
  Agenda& agenda_;
  Luck& luck_;
  std::vector<Record> kept_;
  std::vector<command::Persist> pending_;
  std::deque<command::Archive> archiving_;  // in the order in which they end
  Instant archive_ends_;
  std::size_t batch_ = 0;    // of the pending ones, those that are being kept now
  std::size_t whole_ = 0;    // of those, the first that come to the platter together or not at all
  std::uint64_t life_ = 0;   // what an earlier one began ends nowhere
  std::uint64_t syncs_ = 0;  // so does a sync that was taken back
  bool slow_ = false, refusing_ = false, undone_ = false;
};

}  // namespace warmpool::sim
