// Telling the core of each change costs less than finding out what would matter to it: 1 us, where
// the look itself takes 12. It learns from it what runs of a type need, so it is told of all, and
// of the same figure again for another run.
#include "daemon/memory_watch.hpp"

#include <algorithm>
#include <utility>

#include "pool/memory.hpp"

namespace warmpool::daemon {
namespace {

// Of sample_interval.
constexpr std::int64_t kNearDivisor = 10, kIdleFactor = 5, kDeepFactor = 5;
// Reading a count costs 5 us, as much as a short task. A kill that no attempt failed for is held
// against one that fails so much later.
constexpr Duration kForgetApart = milliseconds(100);

std::string over_text(const MemoryFigure& figure, std::uint64_t most) {
  return std::to_string(figure.own_bytes >> 20) + " MiB of its own in " +
         std::to_string(figure.processes) +
         (figure.processes == 1 ? " process, " : " processes, ") + std::to_string(most >> 20) +
         " MiB are allowed (memory_hard)";
}

}  // namespace

Duration MemoryWatch::interval() const {
  const auto normal = services_.options().sample_interval;
  return any_near_ ? std::max(normal / kNearDivisor, milliseconds(10)) : normal;
}

std::uint64_t MemoryWatch::allowed(const WorkerProcess& worker) const {
  std::uint64_t most = memory_max_of(services_.options_of(worker.worker_class), 0);
  if (worker.memory.hand_most <= most) return most;  // as nearly always
  for (const auto& held : worker.in_hand) most = std::max(most, held.memory_max);
  return most;
}

void MemoryWatch::given(WorkerProcess& worker) {
  const auto most = worker.in_hand.back().memory_max;
  const bool alone = worker.in_hand.size() == 1;
  worker.memory.hand_most = alone ? most : std::max(worker.memory.hand_most, most);
  worker.memory.told.reset();
  set_limit(worker);
  if (alone) forget_ooms(worker);
}

// What the kernel killed before says nothing of how the worker ends, or what is given to it now.
void MemoryWatch::forget_ooms(WorkerProcess& worker) {
  const auto now = services_.engine.now();
  const auto last = worker.memory.ooms_forgotten_at;
  if (last && now - *last < kForgetApart) return;
  worker.memory.ooms_forgotten_at = now;
  processes_.forget_ooms(worker.id);
}

void MemoryWatch::set_limit(WorkerProcess& worker) {
  const auto most = allowed(worker);
  if (worker.memory.limit == most) return;
  worker.memory.limit = most;
  processes_.limit_memory(worker.id, most);
}

void MemoryWatch::answering(WorkerProcess& worker, const AttemptKey& key) {
  const auto most = memory_max_of(services_.options_of(worker.worker_class), 0);
  const auto long_ago = services_.engine.now() - services_.options().sample_interval / kNearDivisor;
  const bool unseen = worker.memory.looked_at <= long_ago;
  const auto has_more = [&](const InHand& held) { return held.memory_max > most; };
  const bool more = worker.memory.hand_most > most && std::ranges::any_of(worker.in_hand, has_more);
  const auto held = std::ranges::find(worker.in_hand, key, &InHand::key);
  const bool ran_long = held != worker.in_hand.end() && held->assigned_at <= long_ago;
  if (more || (ran_long && (unseen || !worker.memory.told))) look(worker);
}

// A kill that an attempt is charged with is no other's.
bool MemoryWatch::ran_out(WorkerProcess& worker, const AttemptKey& key) {
  const bool its_own = !worker.in_hand.empty() && worker.in_hand.front().key == key;
  const bool one_runs = services_.one_runs(worker.worker_class);
  if (!its_own || !(one_runs || worker.in_hand.size() == 1)) return false;
  if (!processes_.oom_since(worker.id)) return false;
  worker.memory.ooms_forgotten_at.reset();
  return true;
}

void MemoryWatch::answered(WorkerProcess& worker) {
  worker.memory.used = true;
  if (!worker.in_hand.empty()) worker.memory.told.reset();  // what was given ahead runs now
  forget_ooms(worker);
  set_limit(worker);
  if (worker.memory.based) return;
  worker.memory.based = true;
  worker.memory.told.reset();
  look(worker);
}

void MemoryWatch::look_if_due(WorkerProcess& worker) {
  if (worker.buried) return;
  auto& memory = worker.memory;
  const auto normal = services_.options().sample_interval;
  const bool busy = !worker.in_hand.empty() || !worker.ready || memory.used;
  const auto every = memory.near ? interval() : busy ? normal : normal * kIdleFactor;
  // A pass comes a little early or late.
  if (services_.engine.now() - memory.looked_at >= every - normal / (2 * kNearDivisor)) {
    look(worker);
  }
  any_near_ = any_near_ || memory.near;
}

// On its way to where it is killed, so that the next look in its turn would be too late to be soon.
bool MemoryWatch::is_near(const WorkerProcess& worker, std::uint64_t before, Duration since) const {
  const auto most = allowed(worker);
  if (most == kUnlimited || worker.in_hand.empty()) return false;
  const auto bytes = worker.memory.figure.own_bytes;
  if (bytes > most / 2) return true;
  const auto normal = services_.options().sample_interval;
  const auto grown = bytes - std::min(bytes, before);
  const auto looks = normal.ns / std::max(since.ns, std::int64_t{1'000'000}) + 1;
  return grown * static_cast<std::uint64_t>(looks) > (most - bytes) / 2;
}

// Who would be ended by what it shares with its own children is looked at closely.
std::optional<MemoryFigure> MemoryWatch::measure(WorkerProcess& worker, std::uint64_t most) {
  const auto now = services_.engine.now();
  auto& memory = worker.memory;
  const bool deep =
      now - memory.deep_at >= services_.options().sample_interval * kDeepFactor || memory.near;
  if (deep) memory.deep_at = now;
  auto figure = processes_.memory(worker.id, deep ? MemoryLook::Deep : MemoryLook::Quick);
  const auto& options = services_.options_of(worker.worker_class);
  const auto due = std::min(most, memory_due_of(options, 0));
  if (figure && figure->processes > 1 && figure->own_bytes > due) {
    figure = processes_.memory(worker.id, MemoryLook::Exact);
  }
  return figure;
}

void MemoryWatch::look(WorkerProcess& worker) {
  auto& memory = worker.memory;
  const auto now = services_.engine.now();
  const auto most = allowed(worker);
  const auto figure = measure(worker, most);
  const auto since = now - memory.looked_at;
  memory.looked_at = now;
  memory.used = false;
  if (worker.in_hand.empty()) forget_ooms(worker);
  if (!figure) return;
  const auto before = memory.figure.own_bytes;
  memory.figure = *figure;
  memory.peak = std::max(memory.peak, figure->own_bytes);
  memory.near = is_near(worker, before, since);
  if (memory.told == figure->own_bytes) return;
  memory.told = figure->own_bytes;
  if (!worker.registered && figure->own_bytes > most && memory.over.empty()) {
    memory.over = over_text(*figure, most);
    services_.log.warn(places_.slot_name(worker.slot) + " has " + memory.over);
  }
  services_.engine.step(event::WorkerSampled{worker.id, figure->own_bytes});
}

}  // namespace warmpool::daemon
