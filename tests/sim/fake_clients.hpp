// Clients and the operator: they submit, vanish and come back by key, cancel, retry what is dead,
// release what is held; the operator scales, pauses and drains.
#pragma once

#include <optional>
#include <vector>

#include "pool/command.hpp"
#include "pool/event.hpp"
#include "tests/sim/agenda.hpp"
#include "tests/sim/luck.hpp"
#include "tests/sim/work.hpp"

namespace warmpool::sim {

class FakeClients {
 public:
  FakeClients(const Scenario& scenario, Random& random, Agenda& agenda, Luck& luck, Works& works);

  void begin(Instant now);
  // What the daemon hears of it, if anything.
  std::optional<Event> act(Instant now, std::uint32_t client, WallTime wall);
  std::optional<Event> operate(Instant now);
  void told(const Command& command);
  // All are cut off. They come back and resubmit by key: at once, late, never, or without the wish
  // that their tasks end with them.
  void daemon_died(Instant now);

  // Ends all that somebody has to end: pauses, drains. `release`: tasks that are held.
  void undo_all(std::vector<Event>& out);
  Event release(TaskId task);
  Event stop(bool now);

 private:
  enum class Stage : std::uint8_t { Asked, Accepted, Settled };
  struct Submission {
    TaskSpec spec;
    RequestId request;
    TaskId task;
    Stage stage{};
  };
  struct Client {
    ClientId id;
    bool here = true;
    std::vector<Submission> submissions;
    std::size_t resubmit_from = 0;  // those before have been sent again
    bool resubmits = false;
    Instant back_at;  // after a death of the daemon
  };

  RequestId next_request() { return RequestId{++requests_}; }
  ClientId admin() const { return admin_; }
  Event submit(Client& client, WallTime wall);
  std::optional<Event> resubmit(Client& client);
  TaskId received(Client& client);
  std::optional<Event> meddle(Client& client);
  Event leave(Client& client);
  TaskSpec draw_spec(WallTime wall);
  Work draw_work();
  TaskId any_task();
  Event scale();
  Event restart();
  PauseTarget target(std::size_t number) const;
  Event reload();
  Event reload_class();
  Event set_breaker();
  Event set_need();
  void note_verdict(const command::Announce& announce);

  const Scenario& scenario_;
  Random& random_;
  std::vector<event::TypeConfigured> configured_;  // by type
  Random returns_, breakers_, needs_;  // of their own, so that they change nothing else in a run
  Agenda& agenda_;
  Luck& luck_;
  Works& works_;
  std::vector<Client> clients_;
  std::vector<TaskId> dead_, held_, known_;
  std::vector<bool> paused_;  // of types, classes, the pool
  std::vector<IdempotencyKey> keys_;
  ClientId admin_;
  std::uint64_t client_ids_ = 0, requests_ = 0;
  std::uint32_t submitted_ = 0;
  bool drained_ = false;
  Options options_;
};

}  // namespace warmpool::sim
