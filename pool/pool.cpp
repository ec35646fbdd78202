// The door: everything is in Core, so that its parts can be tested and its header stays out of the
// daemon's build.
#include "pool/pool.hpp"

#include <algorithm>
#include <limits>

#include "pool/pool_state.hpp"

namespace warmpool {

Core::Core(const Genesis& made) : CoreCheckpoints(made) { REQUIRE(is_life(made.life)); }

void Core::step(Instant at, const Event& event, Commands& commands) {
  REQUIRE(at >= now);
  now = at;
  out_ = &commands;
  std::visit([this](const auto& each) { on(each); }, event);
  out_ = nullptr;
}

Pool::Pool(const Genesis& genesis) : state_(std::make_unique<State>(genesis)) {}
Pool::~Pool() = default;
Pool::Pool(Pool&&) noexcept = default;
Pool& Pool::operator=(Pool&&) noexcept = default;

void Pool::step(Instant now, const Event& event, Commands& out) { state_->step(now, event, out); }
Instant Pool::next_deadline() const { return state_->next_deadline(); }
void Pool::replay(const Record& record) { state_->replay(record); }
void Pool::finish_replay(Instant now, Commands& out) { state_->finish_replay(now, out); }
void Pool::replay_totals(const std::array<std::uint64_t, 5>& settled) {
  state_->replay_totals(settled);
}
Snapshot Pool::snapshot(TypesShown shown) const { return state_->snapshot(shown); }
Snapshot Pool::overview() const { return state_->overview(); }
Counters Pool::counters() const { return state_->counters; }
QueueView Pool::queue() const { return state_->queue(); }
MemoryView Pool::memory() const { return state_->memory_view(); }
TypeMemoryView Pool::memory(TypeId type) const { return state_->memory_view(type); }

std::optional<BreakerView> Pool::breaker(TypeId type) const { return state_->breaker_view(type); }

std::optional<SlotView> Pool::slot(SlotId slot) const {
  const Slot* found = state_->slots.find(slot);
  if (found == nullptr) return std::nullopt;
  return state_->view(*found);
}

std::optional<TaskView> Pool::task(TaskId task) const {
  const auto index = state_->tasks.find(task);
  if (!index) return std::nullopt;
  return state_->view(*index);
}

std::optional<std::size_t> Pool::tasks_before(TaskId task, std::size_t most) const {
  const auto index = state_->tasks.find(task);
  if (!index || state_->tasks[*index].state != TaskState::Ready) return std::nullopt;
  const LaneKey place = state_->lanes.place_of(*index);
  std::optional<std::size_t> fewest;
  for (const ClassId id : state_->lanes.classes_of(*index)) {
    const auto count = state_->lanes.count_before(id, place, most);
    fewest = std::min(fewest.value_or(count), count);
  }
  return fewest;
}

std::vector<TaskIndex> CoreState::dead_letters() const {
  std::vector<TaskIndex> letters;
  dead_.each([&](TaskId task) { letters.push_back(*tasks.find(task)); });
  return letters;
}

// Dead letters are few beside what may wait, and are asked for by people in a hurry: a pass over a
// million waiting tasks would take long for them.
bool Pool::scan(TaskScan& scan, std::uint32_t places) const {
  const auto consider = [&](const Task& task) {
    if (!task.id || (scan.query.state && task.state != *scan.query.state)) return;
    if (!scan.query.type || task.type == *scan.query.type) scan.ids.take(task.id);
  };
  if (scan.query.state == TaskState::Dead) {
    for (const TaskIndex index : state_->dead_letters()) consider(state_->tasks[index]);
    return true;
  }
  const auto end =
      std::min<std::uint64_t>(std::uint64_t{scan.next} + places, state_->tasks.places());
  for (; scan.next < end; ++scan.next) consider(state_->tasks[scan.next]);
  return scan.next >= state_->tasks.places();
}

std::vector<TaskView> Pool::list(const TaskQuery& query) const {
  TaskScan whole(query);
  scan(whole, std::numeric_limits<std::uint32_t>::max());
  std::vector<TaskView> views;
  for (const auto id : whole.ids.sorted()) views.push_back(*task(id));
  return views;
}

RowHits Pool::row_hits() const {
  const auto& slots = state_->slots.row_hits();
  const auto& tasks = state_->tasks.row_hits();
  const auto& breakers = state_->breakers.row_hits;
  std::vector<std::uint64_t> recoveries(kRecoveryRows.size());
  for (const auto& worker_class : state_->classes) {
    const auto& hits = worker_class.gate.row_hits();
    for (std::size_t i = 0; i < hits.size(); ++i) recoveries[i] += hits[i];
  }
  return {{slots.begin(), slots.end()},
          {tasks.begin(), tasks.end()},
          {breakers.begin(), breakers.end()},
          recoveries};
}

}  // namespace warmpool
