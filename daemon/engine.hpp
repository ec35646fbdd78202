// The core with what it asked for and not yet got: commands of this turn, and what goes along with
// records that are not yet with the store.
#pragma once

#include <deque>
#include <span>
#include <vector>

#include "daemon/clock.hpp"
#include "daemon/record/flight_recorder.hpp"
#include "daemon/store/store.hpp"
#include "pool/pool.hpp"

namespace warmpool::daemon {

// Order: refresh() when a wait has ended, before the first handler: what came after an hour of
// quiet
//   happened now and not an hour ago. And again before the Tick.
class Engine {
 public:
  // `recorder`: is told of all that the core is given; null: nobody is. Order: outlives the engine.
  Engine(const Genesis& genesis, Clock& clock, FlightRecorder* recorder = nullptr);

  Instant now() const { return now_; }
  void refresh();

  // One event. Returns the commands that it added, valid until the next step or take.
  std::span<const Command> step(const Event& event);
  // Records of earlier lives, in order; then once the end of them, from which the core goes on.
  // Order: before the first turn.
  void replay(const Record& record);
  void finish_replay(const std::array<std::uint64_t, 5>& settled);
  // All commands since the last call, in order.
  void take(Commands& out);
  // The records among them alone, in order; the others stay.
  void take_records(std::vector<command::Persist>& out);
  // The turn is over: a recorder may take stock.
  void end_turn() {
    if (recorder_ != nullptr) recorder_->turn_ended(pool_);
  }
  Instant due() const { return recorder_ != nullptr ? recorder_->due() : kNever; }
  const FlightRecorder* recorder() const { return recorder_; }
  bool has_commands() const { return !commands_.empty(); }
  std::size_t command_count() const { return commands_.size(); }

  // What belongs to a record that one of the last step's commands asks to keep.
  void attach(RecordNumber number, Attachment attachment);
  Attachment detach(RecordNumber number);

  const Pool& pool() const { return pool_; }
  Clock& clock() { return clock_; }

 private:
  struct Attached {
    RecordNumber number;
    Attachment attachment;
  };

  Clock& clock_;
  Instant now_;
  Pool pool_;
  FlightRecorder* recorder_;
  Commands commands_;
  std::deque<Attached> attached_;  // in order of number
};

// The first record of this kind in `commands`; null if there is none.
template <class Kept>
const command::Persist* find_record(std::span<const Command> commands) {
  for (const auto& command : commands) {
    const auto* persist = std::get_if<command::Persist>(&command);
    if (persist != nullptr && std::holds_alternative<Kept>(persist->record)) return persist;
  }
  return nullptr;
}

// The end of an attempt, if that is what is kept; `worker` and `task` are out parameters.
bool ends_attempt(const Command& command, RecordNumber& number, TaskId& task, WorkerId& worker);

}  // namespace warmpool::daemon
