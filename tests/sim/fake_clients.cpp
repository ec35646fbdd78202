// Clients believe only replies. What they do not know they ask again, by key.
#include "tests/sim/fake_clients.hpp"

#include <algorithm>

namespace warmpool::sim {

FakeClients::FakeClients(const Scenario& scenario, Random& random, Agenda& agenda, Luck& luck,
                         Works& works)
    : scenario_(scenario),
      random_(random),
      returns_(scenario.seed ^ 0xbacc),
      breakers_(scenario.seed ^ 0xb4ea),
      needs_(scenario.seed ^ 0x3e3d),
      agenda_(agenda),
      luck_(luck),
      works_(works),
      clients_(scenario.clients),
      paused_(scenario.types.size() + scenario.classes.size() + 1),
      options_(scenario.options) {
  for (Client& client : clients_) client.id = ClientId{++client_ids_};
  admin_ = ClientId{++client_ids_};
  for (const TypePlan& plan : scenario.types) {
    configured_.push_back({plan.declared.type, plan.breaker, plan.memory});
  }
}

void FakeClients::begin(Instant now) {
  for (std::uint32_t i = 0; i < clients_.size(); ++i) {
    agenda_.plan(now + random_.between(Duration{}, scenario_.submit_every), What::ClientActs, i);
  }
  if (scenario_.has(Fault::Operator)) agenda_.plan(now + milliseconds(50), What::OperatorActs);
}

Work FakeClients::draw_work() {
  static constexpr std::array<std::pair<Fault, Nature>, 7> kNatures{
      {{Fault::FailTask, Nature::Fails},
       {Fault::FailForGood, Nature::FailsForGood},
       {Fault::RetryAfter, Nature::AsksLater},
       {Fault::HoldTask, Nature::Holds},
       {Fault::Poison, Nature::Poison},
       {Fault::Hang, Nature::Hangs},
       {Fault::HangAndReturn, Nature::HangsAndReturns}}};
  for (const auto& [fault, nature] : kNatures) {
    if (!luck_.strikes(fault)) continue;
    return {nature, static_cast<std::uint8_t>(random_.between(1, random_.chance(300) ? 20 : 4))};
  }
  return {};
}

TaskSpec FakeClients::draw_spec(WallTime wall) {
  TaskSpec spec;
  spec.type = TypeId{static_cast<std::uint32_t>(random_.below(scenario_.types.size()))};
  spec.tenant = TenantId{static_cast<std::uint32_t>(random_.below(scenario_.tenants))};
  spec.priority = static_cast<std::uint8_t>(random_.chance(500) ? 10 : random_.below(101));
  const std::uint64_t durability = random_.below(20);
  if (durability < 2) spec.durability = durability == 0 ? Durability::None : Durability::Relaxed;
  spec.cancel_on_disconnect = random_.chance(200);
  spec.retries = static_cast<std::uint16_t>(random_.below(5));
  spec.crashes_max = static_cast<std::uint16_t>(random_.between(1, 4));
  spec.payload_bytes = works_.add(draw_work());
  spec.timeout = random_.chance(800) ? random_.between(milliseconds(100), seconds(2))
                                     : random_.between(milliseconds(10), milliseconds(60));
  if (scenario_.has(Fault::Hang) && random_.chance(100)) {
    spec.timeout = random_.between(seconds(3), seconds(8));
  }
  if (random_.chance(80)) spec.deadline = random_.between(milliseconds(5), seconds(3));
  if (random_.chance(80)) spec.expiry = random_.between(milliseconds(5), seconds(2));
  if (random_.chance(80)) {
    spec.delay = random_.between(Duration{}, seconds(1));
  } else if (random_.chance(30)) {
    spec.run_at = {wall.ns + random_.between(Duration{}, seconds(2)).ns};
  }
  if (!random_.chance(scenario_.keys_per_mille)) return spec;
  if (!keys_.empty() && random_.chance(60)) {
    spec.key = random_.pick(keys_);
    if (random_.chance(300)) spec.key->digest ^= 1;
    return spec;
  }
  spec.key = IdempotencyKey{random_.next(), random_.next(), random_.next()};
  if (random_.chance(500)) spec.key->use = KeyUse::Reconnect;
  keys_.push_back(*spec.key);
  return spec;
}

Event FakeClients::submit(Client& client, WallTime wall) {
  ++submitted_;
  client.submissions.push_back({draw_spec(wall), next_request(), {}, Stage::Asked});
  const Submission& made = client.submissions.back();
  return event::Submit{client.id, made.request, made.spec};
}

std::optional<Event> FakeClients::resubmit(Client& client) {
  while (client.resubmit_from < client.submissions.size()) {
    Submission& again = client.submissions[client.resubmit_from++];
    if (!again.spec.key || again.stage == Stage::Settled) continue;
    again.request = next_request();
    return event::Submit{client.id, again.request, again.spec};
  }
  client.resubmits = false;
  return std::nullopt;
}

Event FakeClients::leave(Client& client) {
  luck_.count(Fault::ClientDrops);
  client.here = false;
  return event::ClientGone{client.id};
}

TaskId FakeClients::any_task() {
  if (known_.empty() || random_.chance(50)) return TaskId{1ULL << 40 | random_.between(1, 500)};
  return random_.chance(600)
             ? known_[known_.size() - 1 - random_.below(std::min<std::size_t>(known_.size(), 10))]
             : random_.pick(known_);
}

// One of its own tasks that has settled, and whose key it will not use again; none most of the
// time.
TaskId FakeClients::received(Client& client) {
  if (client.submissions.empty() || !random_.chance(300)) return {};
  Submission& made = client.submissions[random_.below(client.submissions.size())];
  const bool reconnects = made.spec.key && made.spec.key->use == KeyUse::Reconnect;
  return reconnects && made.stage == Stage::Settled ? made.task : TaskId{};
}

std::optional<Event> FakeClients::meddle(Client& client) {
  if (scenario_.has(Fault::Cancels) && random_.chance(300)) {
    luck_.count(Fault::Cancels);
    return event::Cancel{client.id, next_request(), any_task()};
  }
  if (!dead_.empty() && random_.chance(300)) {
    const TaskId task = random_.pick(dead_);
    if (random_.chance(300)) return event::RemoveDead{client.id, next_request(), task};
    event::RetryDead retry{client.id, next_request(), task};
    if (random_.chance(300)) retry.payload_bytes = works_.add(draw_work());
    return retry;
  }
  if (!held_.empty() && random_.chance(300)) return release(random_.pick(held_));
  if (const TaskId got = received(client)) return event::Received{got};
  if (random_.chance(20)) return event::RetryDead{client.id, next_request(), any_task()};
  if (random_.chance(20)) return event::RemoveDead{client.id, next_request(), any_task()};
  if (random_.chance(20)) return event::Release{client.id, next_request(), any_task()};
  return std::nullopt;
}

std::optional<Event> FakeClients::act(Instant now, std::uint32_t index, WallTime wall) {
  Client& client = clients_[index];
  const bool burst = scenario_.has(Fault::Overload) && random_.chance(700);
  Duration pause =
      burst ? microseconds(5) : random_.between(Duration{}, scenario_.submit_every * 2);
  if (luck_.calm() && client.here && !client.resubmits) return std::nullopt;
  // Who has nothing left to submit asks now and then; else a run would be mostly refusals.
  if (submitted_ >= scenario_.submissions) pause = pause + milliseconds(20);
  if (!client.here) {
    client.here = client.resubmits = true;
    client.id = ClientId{++client_ids_};
    client.resubmit_from = 0;
  }
  agenda_.plan(now + pause, What::ClientActs, index);
  if (client.resubmits && client.back_at <= now) {
    if (auto again = resubmit(client)) return again;
  }
  if (luck_.calm()) return std::nullopt;
  if (luck_.strikes(Fault::ClientDrops, 20)) return leave(client);
  if (random_.chance(200)) {
    if (auto meddled = meddle(client)) return meddled;
  }
  if (submitted_ >= scenario_.submissions) return meddle(client);
  return submit(client, wall);
}

void FakeClients::note_verdict(const command::Announce& announce) {
  for (Client& client : clients_) {
    for (Submission& made : client.submissions) {
      if (made.task == announce.task) made.stage = Stage::Settled;
    }
  }
  if (announce.verdict == Verdict::Dead) dead_.push_back(announce.task);
}

void FakeClients::told(const Command& command) {
  if (const auto* announce = std::get_if<command::Announce>(&command)) note_verdict(*announce);
  if (const auto* notify = std::get_if<command::Notify>(&command)) {
    if (notify->notification.notice == Notice::TaskHeld) held_.push_back(notify->notification.task);
  }
  const auto* accepted = std::get_if<command::Accepted>(&command);
  if (accepted == nullptr) return;
  if (!accepted->duplicate) known_.push_back(accepted->task);
  for (Client& client : clients_) {
    if (client.id != accepted->client) continue;
    for (auto made = client.submissions.rbegin(); made != client.submissions.rend(); ++made) {
      if (made->request != accepted->request) continue;
      made->stage = Stage::Accepted;
      made->task = accepted->task;
      return;
    }
  }
}

void FakeClients::daemon_died(Instant now) {
  for (Client& client : clients_) {
    client.id = ClientId{++client_ids_};
    client.here = client.resubmits = true;
    client.resubmit_from = 0;
    client.back_at = now;
    const std::uint64_t way = returns_.below(10);
    if (way < 2) client.resubmits = false;
    if (way == 2 || way == 3) {
      client.back_at = now + returns_.between(Duration{}, scenario_.options.reconnect_grace * 2);
    }
    if (way != 4 && way != 5) continue;
    for (Submission& made : client.submissions) made.spec.cancel_on_disconnect = false;
  }
  admin_ = ClientId{++client_ids_};
  drained_ = false;
}

}  // namespace warmpool::sim
