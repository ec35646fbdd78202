// A turn is as the daemon's: up to 256 handlers, then Tick, then the commands are carried out. It
// begins when something happens or when the core asked to be woken, whichever is first; only a
// stall of the loop makes it later than the core's deadline.
#include "tests/sim/world.hpp"

#include <algorithm>

#include "pool/describe.hpp"

namespace warmpool::sim {
namespace {

constexpr int kHandlersMax = 256;
constexpr Duration kWallAtStart = seconds(1'700'000'000);

}  // namespace

World::World(const Scenario& scenario, Trace* trace, Tape* tape)
    : scenario_(scenario),
      trace_(trace),
      tape_(tape),
      random_(scenario.seed ^ 0xabcdef),
      luck_(scenario, random_),
      workers_(scenario, random_, agenda_, luck_, works_),
      clients_(scenario, random_, agenda_, luck_, works_),
      disk_(scenario, random_, agenda_, luck_),
      oracle_(scenario),
      wall_offset_(kWallAtStart),
      served_(scenario.types.size()) {
  for (std::size_t i = 0; i < served_.size(); ++i) served_[i] = !scenario.types[i].later;
  hits_ = {std::vector<std::uint64_t>(kSlotRows.size()),
           std::vector<std::uint64_t>(kTaskRows.size()),
           std::vector<std::uint64_t>(kBreakerRows.size()),
           std::vector<std::uint64_t>(kRecoveryRows.size())};
}

void World::say(const std::string& text) { trace_->line(describe(now_) + " " + text); }

void World::begin() {
  clients_.begin(now_);
  disk_.begin(now_);
  plan_faults();
  new_life();
}

void World::take(const Event& event) {
  if (trace_ != nullptr) say("-> " + describe(event));
  const std::size_t from = commands_.size();
  oracle_.before(now_, event);
  pool_->step(now_, event, commands_);
  if (tape_ != nullptr) tape_->stepped(now_, event, std::span(commands_).subspan(from));
  ++steps_;
  note_new(from);
  oracle_.after(*pool_);
}

void World::note_new(std::size_t from) {
  for (std::size_t i = from; i < commands_.size(); ++i) {
    if (trace_ != nullptr) say("     " + describe(commands_[i]));
    if (const auto* persist = std::get_if<command::Persist>(&commands_[i])) {
      const auto* accepted = std::get_if<record::Accepted>(&persist->record);
      if (accepted != nullptr) works_.name(accepted->task, accepted->spec.payload_bytes);
      const auto* revived = std::get_if<record::Revived>(&persist->record);
      if (revived != nullptr && revived->payload_bytes) {
        works_.name(revived->task, *revived->payload_bytes);
      }
    }
    oracle_.command(commands_[i]);
  }
}

bool World::turn() {
  const Instant deadline = wake_ ? now_ : deadline_;
  wake_ = false;
  const Instant next = std::min(agenda_.next(), deadline);
  if (next == kNever) return false;
  Instant at = std::max(now_, next);
  Duration late{};
  if (stalled_until_ > at) {
    late = stalled_until_ - at;
    at = stalled_until_;
  } else {
    at = std::min(at + scenario_.turn_window, std::max(at, deadline));
    if (at == deadline) at = at + scenario_.turn_late;
  }
  oracle_.begin_turn(at, deadline_, late);
  now_ = at;
  ++turns_;
  if (late > scenario_.options.heartbeat_interval) take(event::LoopLate{late});
  for (int i = 0; i < kHandlersMax && agenda_.next() <= now_; ++i) happen(agenda_.take());
  take(event::Tick{});
  if (tape_ != nullptr) tape_->turn_ended(*pool_);
  const Instant promised = pool_->next_deadline();
  deadline_ = std::max(promised, now_ + microseconds(1));
  oracle_.after_tick(*pool_, promised);
  if (crashes_ && random_.chance(500)) commands_.clear();  // it died before it acted
  carry_out();
  if (crashes_) crash();
  return true;
}

void World::happen(const Happening& happening) {
  std::optional<Event> event;
  switch (happening.what) {
    case What::ClientActs:
      event = clients_.act(now_, happening.index, wall());
      break;
    case What::OperatorActs:
      event = clients_.operate(now_);
      break;
    case What::DiskSyncs:
      event = disk_.synced(now_, happening.number);
      break;
    case What::ArchiveEnds:
      event = disk_.archived(happening.number);
      break;
    case What::DiskMoodSwings:
      event = disk_.swing_mood(now_);
      break;
    case What::WallJumps:
      return jump_wall();
    case What::LoopStalls:
      if (!calm_) {
        luck_.count(Fault::LoopStall);
        stalled_until_ = now_ + random_.between(milliseconds(1), scenario_.options.dead_after * 2);
      }
      return;
    case What::DaemonCrashes:
      crashes_ = !calm_;
      return;
    case What::WorkerMishap:
      mishap();
      break;
    case What::StrangerComes:
      if (!calm_) {
        event = workers_.come(now_, ClassId{static_cast<std::uint16_t>(happening.index)});
      }
      break;
    case What::OutlivedEnds:
      event = event::Outlived{TaskId{happening.number}, true};
      break;
    case What::TypeServed:
      served_[happening.index] = true;
      event = scenario_.types[happening.index].declared;
      break;
    default:
      event = workers_.happen(now_, happening);
      break;
  }
  if (event) take(*event);
}

void World::mishap() {
  if (calm_) return;
  agenda_.plan(now_ + random_.between(milliseconds(1), milliseconds(200)), What::WorkerMishap);
  if (workers_.size() == 0) return;
  const auto slot = static_cast<std::uint32_t>(random_.below(workers_.size()));
  if (auto event = workers_.happen(now_, {now_, 0, What::WorkerMishap, slot, 0})) take(*event);
}

void World::jump_wall() {
  if (calm_) return;
  luck_.count(Fault::WallJump);
  agenda_.plan(now_ + random_.between(milliseconds(100), seconds(3)), What::WallJumps);
  wall_offset_ = wall_offset_ + random_.between(seconds(-3), seconds(3));
  take(event::WallStepped{wall()});
}

void World::carry_out() {
  // What is carried out may not add to the list: all it does is planned.
  for (const Command& command : commands_) carry_out(command);
  commands_.clear();
}

void World::carry_out(const Command& command) {
  clients_.told(command);
  std::visit(
      [this](const auto& one) {
        if constexpr (requires { workers_.carry_out(now_, one); }) {
          workers_.carry_out(now_, one);
        } else if constexpr (requires { disk_.carry_out(now_, one); }) {
          disk_.carry_out(now_, one);
        }
      },
      command);
}

void World::run_until(Instant end, std::uint64_t steps_max) {
  while (now_ < end && steps_ < steps_max && turn()) {
  }
}

void World::run_until_settled(Instant end) {
  while (now_ < end) {
    if (oracle_.all_settled() && oracle_.slots_are_back()) return;
    if (!turn()) return;
    if (turns_ % 64 == 0) release_held();
  }
}

void World::release_held() {
  const TaskQuery held{.after = {}, .limit = 100'000, .state = TaskState::Held};
  for (const TaskView& task : pool_->list(held)) take(clients_.release(task.task));
}

void World::run_until_finished(Instant end) {
  while (!oracle_.finished() && now_ < end && turn()) {
  }
}

void World::stop(bool now) {
  calm_ = true;
  stalled_until_ = now_;
  take(clients_.stop(now));
  wake_ = true;
}

void World::calm_down() {
  calm_ = true;
  luck_.calm_down();
  workers_.calm_down(now_);
  stalled_until_ = now_;
  std::vector<Event> undo;
  clients_.undo_all(undo);
  if (auto event = disk_.calm_down()) undo.push_back(*event);
  for (std::size_t i = 0; i < served_.size(); ++i) {
    if (!served_[i]) undo.push_back(scenario_.types[i].declared);
    served_[i] = true;
  }
  for (const Event& event : undo) take(event);
  release_held();
  wake_ = true;
}

void World::add_hits() {
  const RowHits hits = pool_->row_hits();
  for (std::size_t i = 0; i < hits.slots.size(); ++i) hits_.slots[i] += hits.slots[i];
  for (std::size_t i = 0; i < hits.tasks.size(); ++i) hits_.tasks[i] += hits.tasks[i];
  for (std::size_t i = 0; i < hits.breakers.size(); ++i) {
    hits_.breakers[i] += hits.breakers[i];
  }
  for (std::size_t i = 0; i < hits.recoveries.size(); ++i) {
    hits_.recoveries[i] += hits.recoveries[i];
  }
}

Figures World::figures() const {
  Figures figures{steps_, turns_, life_, now_ - Instant{}, luck_.all(), hits_};
  const RowHits hits = pool_->row_hits();
  for (std::size_t i = 0; i < hits.slots.size(); ++i) figures.hits.slots[i] += hits.slots[i];
  for (std::size_t i = 0; i < hits.tasks.size(); ++i) figures.hits.tasks[i] += hits.tasks[i];
  for (std::size_t i = 0; i < hits.breakers.size(); ++i) {
    figures.hits.breakers[i] += hits.breakers[i];
  }
  for (std::size_t i = 0; i < hits.recoveries.size(); ++i) {
    figures.hits.recoveries[i] += hits.recoveries[i];
  }
  return figures;
}

}  // namespace warmpool::sim
