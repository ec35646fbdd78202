// Which alerts there are: raised once, counted when they come again, resolved when their cause is
// gone. Decides alone; what is seen and who is told are others'.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/alerts/alert_table.hpp"
#include "pool/time.hpp"

namespace warmpool::daemon {

// A figure that an alert comes with. `is_number`: of JSON.
struct AlertFact {
  std::string name, value;
  bool is_number = false;
};

// What is seen to be so, or has happened.
struct Sighting {
  Alert alert{};
  std::string subject;  // as its row says; empty: the pool
  std::string text;     // for people: what, with figures, and what to do
  std::vector<AlertFact> facts{};
};

struct RaisedAlert {
  std::uint64_t number = 0;  // rises by 1 with each that is raised, from 1
  Sighting what;             // as it was seen last
  Instant since, last_seen, told_at, resolved_at = kNever;
  std::uint64_t count = 1;  // of an event: how often; of a state: how often it came again
  bool present = true;      // false: its cause is gone, and it is not resolved yet
  bool acknowledged = false;

  bool resolved() const { return resolved_at != kNever; }
};

enum class AlertChange : std::uint8_t { Raised, Repeated, Resolved };
std::string_view name_of(AlertChange change);

struct AlertNews {
  AlertChange change{};
  RaisedAlert alert;
};

struct AlertTimes {
  Duration stays;        // of an event
  Duration clear_after;  // that a state must be gone
  Duration repeat;       // until it is acknowledged; 0: never
};

// Bounds: kActiveMax at once, the rest is counted and not told; the last `past_max` resolved ones.
class AlertBook {
 public:
  static constexpr std::size_t kActiveMax = 2'000;

  void set_times(const AlertTimes& times) { times_ = times; }
  void set_past_max(std::size_t past_max);

  // All states that are so at `now`: one that is missing is gone.
  void see(std::vector<Sighting> states, Instant now);
  void happened(Sighting event, Instant now);
  // What was raised, resolved and is to be told again since the last call, in order.
  std::vector<AlertNews> take_news();
  // Those of this name, of this subject or of any. How many there are.
  std::size_t acknowledge(Alert alert, std::string_view subject);
  std::size_t acknowledge_all();

  // By severity, then by age; present() without those whose cause is gone.
  std::vector<const RaisedAlert*> present() const;
  std::vector<const RaisedAlert*> active() const;
  const std::deque<RaisedAlert>& past() const { return past_; }  // newest last
  std::uint64_t dropped() const { return dropped_; }
  std::uint64_t raised() const { return last_number_; }

 private:
  using Key = std::pair<Alert, std::string>;
  using Active = std::map<Key, RaisedAlert>;

  void sight(Sighting what, Instant now);
  void raise(Sighting what, Instant now);
  void age(Instant now);
  bool is_over(const RaisedAlert& alert, Instant now) const;
  Active::iterator resolve(Active::iterator at, Instant now);

  AlertTimes times_;
  Active active_;
  std::deque<RaisedAlert> past_;
  std::vector<AlertNews> news_;
  std::size_t past_max_ = 1'000;
  std::uint64_t last_number_ = 0, dropped_ = 0;
};

}  // namespace warmpool::daemon
