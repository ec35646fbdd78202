// The door: everything is in Core, so that its parts can be tested and its header stays out of the
// daemon's build.
#include "pool/pool.hpp"

#include <algorithm>

#include "pool/pool_state.hpp"

namespace warmpool {

Core::Core(const Genesis& made) : CoreState(made) { REQUIRE(is_life(made.life)); }

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
Snapshot Pool::snapshot() const { return state_->snapshot(); }
Snapshot Pool::overview() const { return state_->overview(); }
Counters Pool::counters() const { return state_->counters; }
QueueView Pool::queue() const { return state_->queue(); }

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

std::vector<TaskIndex> CoreState::dead_letters() const {
  std::vector<TaskIndex> letters;
  dead_.each([&](TaskId task) { letters.push_back(*tasks.find(task)); });
  return letters;
}

// Dead letters are few beside what may wait, and are asked for by people in a hurry: a pass over a
// million waiting tasks would hold up the daemon's loop for them.
std::vector<TaskView> Pool::list(const TaskQuery& query) const {
  std::vector<TaskIndex> found;
  const auto younger = [this](TaskIndex a, TaskIndex b) {
    return state_->tasks[a].id < state_->tasks[b].id;
  };
  const auto consider = [&](TaskIndex index) {
    const Task& task = state_->tasks[index];
    if (task.id <= query.after || query.limit == 0) return;
    if (query.state && task.state != *query.state) return;
    if (query.type && task.type != *query.type) return;
    if (found.size() == query.limit && younger(found.front(), index)) return;
    found.push_back(index);
    std::ranges::push_heap(found, younger);
    if (found.size() <= query.limit) return;
    std::ranges::pop_heap(found, younger);
    found.pop_back();
  };
  if (query.state == TaskState::Dead) {
    for (const TaskIndex index : state_->dead_letters()) consider(index);
  } else {
    state_->tasks.each(consider);
  }
  std::ranges::sort(found, younger);
  std::vector<TaskView> views;
  for (TaskIndex index : found) views.push_back(state_->view(index));
  return views;
}

RowHits Pool::row_hits() const {
  const auto& slots = state_->slots.row_hits();
  const auto& tasks = state_->tasks.row_hits();
  return {{slots.begin(), slots.end()}, {tasks.begin(), tasks.end()}};
}

}  // namespace warmpool
