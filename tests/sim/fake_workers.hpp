// Worker processes that only exist in the agenda: they say hello, run what they are given in order,
// heed or ignore what they are told, and die in every way there is.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "pool/command.hpp"
#include "pool/event.hpp"
#include "tests/sim/agenda.hpp"
#include "tests/sim/luck.hpp"
#include "tests/sim/work.hpp"

namespace warmpool::sim {

class FakeWorkers {
 public:
  FakeWorkers(const Scenario& scenario, Random& random, Agenda& agenda, Luck& luck, Works& works)
      : scenario_(scenario), random_(random), agenda_(agenda), luck_(luck), works_(works) {}

  void carry_out(Instant now, const command::Spawn& spawn);
  void carry_out(Instant now, const command::Admit& admit);
  void carry_out(Instant now, const command::TurnAway& away);
  void carry_out(Instant now, const command::Disown& disown);
  void carry_out(Instant now, const command::Assign& assign);
  void carry_out(Instant now, const command::CancelAttempt& cancel);
  void carry_out(Instant now, const command::Recall& recall);
  void carry_out(Instant now, const command::Retire& retire);
  void carry_out(Instant now, const command::AskCheckpoint& ask);
  void carry_out(Instant now, const command::EndWorker& end);

  // What the daemon notices of it, if anything.
  std::optional<Event> happen(Instant now, const Happening& happening);

  // Somebody starts one by hand; whether it gets a place is answered by a command.
  Event come(Instant now, ClassId worker_class);
  // The daemon died, and they with it, but for those that others started: what these were at.
  std::vector<TaskId> all_end();
  void calm_down(Instant now);  // who is silent speaks, who ignored an order heeds it
  std::size_t size() const { return workers_.size(); }

 private:
  enum class Life : std::uint8_t { None, Starting, Up, Dead };
  enum class Hears : std::uint8_t { Assign, Cancel, Recall, Retire, Ask };
  struct Heard {
    Hears what;
    AttemptKey key;
    TypeId type;
    Duration timeout;
  };
  struct Run {
    AttemptKey key;
    TypeId type;
    Duration timeout;
    std::uint64_t serial = 0;  // of the end that is planned
    Outcome outcome{};
    Duration service{}, retry_after{};
    bool running = false, cancelled = false;
  };
  struct Worker {
    WorkerId id;
    ClassId worker_class;
    std::uint64_t incarnation = 0;
    Life life = Life::None;
    bool stopped = false, silent = false, broken = false, retiring = false, exiting = false;
    bool ignores_term = false, ignores_cancel = false, ignores_retire = false,
         ignores_recall = false, recall = true, checkpoints = false;
    bool registered = false, killable = true;
    bool unseen = false;       // goes on, and the daemon did not see it
    bool page = false;         // says what it runs
    bool rotten = false;       // fails whatever it runs
    std::uint64_t marker = 0;  // what that was when it died
    std::vector<Run> hand;
    std::deque<Heard> inbox;
    std::deque<Event> outbox;
    std::vector<Happening> frozen;
    Instant last_in, last_out;
    std::uint64_t memory = 0;
    bool answered = false;  // a task, so that its memory is looked at soon
    ExitCause cause{};
    std::int32_t code = 0;
  };

  Worker* find(WorkerId worker);
  Duration wire() { return random_.between(Duration{}, scenario_.wire_max); }
  void tell(Instant now, WorkerId worker, Heard heard);
  void say(Instant now, Worker& worker, Event event);
  std::uint32_t slot(const Worker& worker) const {
    return static_cast<std::uint32_t>(worker.id.value & 0xffff);
  }

  Worker& take_place(Instant now, WorkerId id, SlotId slot, ClassId worker_class);
  void end_stranger(Instant now, Worker& worker, const command::EndWorker& end);
  std::optional<Event> leave(Instant now, Worker& worker);
  void hello(Instant now, Worker& worker);
  void hear(Instant now, Worker& worker);
  void say_ungiven(Instant now, Worker& worker, const Heard& heard);
  void hear_cancel(Instant now, Worker& worker, const Heard& heard);
  void hear_recall(Instant now, Worker& worker, const Heard& heard);
  void hear_ask(Instant now, Worker& worker, const Heard& heard);
  void say_checkpoint(Instant now, Worker& worker, AttemptKey key);
  void beat(Instant now, Worker& worker);
  void begin_next(Instant now, Worker& worker);
  bool is_down(Instant now, const TypePlan& type) const;
  bool is_down(Instant now, ClassId worker_class) const;
  bool hangs(Instant now, const Worker& worker);
  void begin(Instant now, Worker& worker, Run& run);
  void behave(Instant now, Worker& worker, Run& run, Work& work);
  void plan_end(Instant at, Worker& worker, Run& run);
  void end_run(Instant now, Worker& worker, std::uint64_t serial);
  void say_result(Instant now, Worker& worker, const Run& run);
  void say_wrong(Instant now, Worker& worker, const Run& run);
  void leave_if_done(Instant now, Worker& worker);
  void plan_death(Instant at, Worker& worker, ExitCause cause, std::int32_t code);
  void die(Instant now, Worker& worker);
  std::uint64_t marker_of(const Worker& worker);
  // fake_memory.cpp
  bool is_measured() const;
  void measure_later(Instant now, const Worker& worker);
  std::optional<Event> measured(Worker& worker);
  void take_memory(Instant now, Worker& worker, Duration service);
  void leave_memory(Worker& worker);
  void note_answer(Instant now, Worker& worker, const Event& said);
  std::optional<Event> mishap(Instant now, Worker& worker);
  Event look(const Worker& worker);
  Event figures(const Worker& worker);
  Event check(const Worker& worker);
  std::optional<Event> go_on(Instant now, Worker& worker);

  const Scenario& scenario_;
  Random& random_;
  Agenda& agenda_;
  Luck& luck_;
  Works& works_;
  std::vector<Worker> workers_;  // by slot
  std::uint64_t incarnations_ = 0, serials_ = 0, registrations_ = 0;
};

}  // namespace warmpool::sim
