// The world around one Pool: turns of virtual time, what happens in them, and what the daemon would
// do with the commands. Also the daemon's death and its next life.
#pragma once

#include <optional>

#include "pool/breaker_machine.hpp"
#include "pool/recovery_machine.hpp"
#include "pool/slot_machine.hpp"
#include "pool/task_machine.hpp"
#include "tests/sim/fake_clients.hpp"
#include "tests/sim/fake_disk.hpp"
#include "tests/sim/fake_workers.hpp"
#include "tests/sim/oracle.hpp"
#include "tests/sim/tape.hpp"
#include "tests/sim/trace.hpp"

namespace warmpool::sim {

struct Figures {
  std::uint64_t steps = 0, turns = 0, lives = 0;
  Duration virtual_time{};
  Strikes strikes{};
  RowHits hits;
};

class World {
 public:
  // `trace` and `tape` may be null.
  World(const Scenario& scenario, Trace* trace, Tape* tape = nullptr);

  void begin();
  // Until `end` or until `steps_max` steps were taken.
  void run_until(Instant end, std::uint64_t steps_max);
  void calm_down();
  // Until all has settled and all slots are back, or `end` has come.
  void run_until_settled(Instant end);
  void stop(bool now);
  void run_until_finished(Instant end);

  Instant now() const { return now_; }
  const Oracle& oracle() const { return oracle_; }
  const Pool& pool() const { return *pool_; }
  Figures figures() const;

 private:
  bool turn();
  void happen(const Happening& happening);
  void take(const Event& event);
  void note_new(std::size_t from);
  void carry_out();
  void carry_out(const Command& command);
  void new_life();
  void declare();
  void crash();
  void plan_faults();
  void mishap();
  void jump_wall();
  void release_held();
  WallTime wall() const { return {wall_offset_.ns + now_.ns}; }
  void add_hits();
  void say(const std::string& text);

  const Scenario& scenario_;
  Trace* trace_;
  Tape* tape_;
  Random random_;
  Agenda agenda_;
  Luck luck_;
  Works works_;
  FakeWorkers workers_;
  FakeClients clients_;
  FakeDisk disk_;
  Oracle oracle_;
  std::optional<Pool> pool_;
  Commands commands_;
  Instant now_, deadline_, stalled_until_;
  Duration wall_offset_{};
  std::uint64_t life_ = 0, steps_ = 0, turns_ = 0;
  bool crashes_ = false, calm_ = false, wake_ = false;  // wake_: a Tick comes next
  std::vector<bool> served_;                            // by type: declared with its classes
  std::vector<TaskId> outlived_;  // workers that others started were at these when the daemon died
  RowHits hits_;
};

}  // namespace warmpool::sim
