// The daemon's lives. A crash loses what the disk had not kept, and all workers; the next life is
// told its classes and types, then what the disk has.
#include "pool/describe.hpp"
#include "tests/sim/world.hpp"

namespace warmpool::sim {
namespace {

std::string times_text(const Options& options) {
  const auto ms = [](const char* name, Duration time) {
    return std::string(" ") + name + " " + std::to_string(time.ns / 1'000'000) + "ms";
  };
  return ms("heartbeat", options.heartbeat_interval) + ms("step", options.priority_step) +
         ms("prefetch", options.prefetch_budget) + ms("recall", options.recall_after) +
         ms("cancel-grace", options.cancel_grace) + ms("term-grace", options.term_grace) +
         ms("start", options.start_timeout) + ms("drain", options.drain_timeout) +
         ms("backoff", options.backoff_first) + ms("restart", options.restart_cooldown);
}

}  // namespace

void World::plan_faults() {
  if (scenario_.has(Fault::WallJump)) agenda_.plan(now_ + milliseconds(300), What::WallJumps);
  agenda_.plan(now_ + milliseconds(5), What::WorkerMishap);
  const auto at_random = [&](What what) {
    agenda_.plan(now_ + random_.between(milliseconds(1), scenario_.safety), what);
  };
  if (scenario_.has(Fault::LoopStall)) {
    for (std::uint64_t i = random_.between(1, 4); i > 0; --i) at_random(What::LoopStalls);
  }
  if (scenario_.has(Fault::DaemonCrash)) {
    for (std::uint64_t i = random_.between(1, 4); i > 0; --i) at_random(What::DaemonCrashes);
  }
  if (scenario_.has(Fault::Strangers)) agenda_.plan(now_ + milliseconds(3), What::StrangerComes);
  for (std::uint32_t i = 0; i < scenario_.types.size(); ++i) {
    if (!scenario_.types[i].later) continue;
    agenda_.plan(now_ + random_.between(milliseconds(1), seconds(1)), What::TypeServed, i);
  }
}

void World::declare() {
  for (const auto& declared : scenario_.classes) take(declared);
  for (std::size_t i = 0; i < scenario_.types.size(); ++i) {
    event::TypeDeclared declared = scenario_.types[i].declared;
    if (!served_[i]) declared.count = 0;
    take(declared);
    const TypePlan& plan = scenario_.types[i];
    const bool configured = plan.breaker.on || plan.memory.any();
    if (configured) take(event::TypeConfigured{declared.type, plan.breaker, plan.memory});
  }
  for (const TaskId task : outlived_) {
    take(event::Outlived{task, false});
    agenda_.plan(now_ + random_.between(Duration{}, seconds(2)), What::OutlivedEnds, 0, task.value);
  }
  outlived_.clear();
}

void World::new_life() {
  ++life_;
  Genesis genesis{.life = life_,
                  .secret = {random_.next(), random_.next()},
                  .jitter_seed = random_.next(),
                  .now = now_,
                  .wall = wall(),
                  .options = scenario_.options};
  pool_.emplace(genesis);
  if (tape_ != nullptr) tape_->life_begins(genesis);
  oracle_.life_begins(now_, wall());
  if (trace_ != nullptr) say("== life " + std::to_string(life_) + times_text(scenario_.options));
  declare();
  for (const Record& record : disk_.kept()) {
    pool_->replay(record);
    if (tape_ != nullptr) tape_->replayed(record);
    oracle_.replay(record);
  }
  oracle_.start_replay();
  const std::size_t from = commands_.size();
  pool_->finish_replay(now_, commands_);
  if (tape_ != nullptr) tape_->replay_finished(now_, std::span(commands_).subspan(from));
  note_new(from);
  oracle_.after_replay(*pool_);
  deadline_ = kNever;
  wake_ = true;  // the first turn comes at once
}

void World::crash() {
  luck_.count(Fault::DaemonCrash);
  crashes_ = false;
  add_hits();
  if (trace_ != nullptr) say("== the daemon dies");
  outlived_ = workers_.all_end();
  clients_.daemon_died(now_);
  disk_.crash();
  commands_.clear();
  now_ = now_ + random_.between(milliseconds(1), milliseconds(500));
  stalled_until_ = now_;
  oracle_.daemon_died(now_);
  new_life();
}

}  // namespace warmpool::sim
