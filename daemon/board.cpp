// Rows are made one after the other and stored as they are made: with 500 workers that is 96 KiB a
// copy and no memory of its own.
#include "daemon/board.hpp"

#include <algorithm>
#include <unistd.h>

#include "daemon/health_json.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::uint32_t kSlotsLeast = 64;

std::uint32_t slots_wanted(const Configuration& configuration) {
  std::uint64_t slots = 0;
  for (const auto& worker_class : configuration.classes) slots += worker_class.values.size_max;
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(slots, kSlotsLeast, 0xffff));
}

// Those that registered workers may still bring have their room from the beginning.
std::uint32_t classes_wanted(const Configuration& configuration) {
  std::uint64_t classes = configuration.pool.values.registered_classes_max;
  for (const auto& worker_class : configuration.classes) classes += worker_class.brought ? 0 : 1;
  return static_cast<std::uint32_t>(classes);
}

template <class Word>
std::uint8_t number_of(Word word) {
  return static_cast<std::uint8_t>(word);
}

void set_counters(ipc::BoardPool& row, const Counters& counters) {
  row.accepted = counters.accepted;
  row.settled = counters.settled;
  row.attempts = counters.attempts;
  row.spawns = counters.spawns;
  row.exits = counters.exits;
  row.failures = counters.failures;
  row.crashes = counters.crashes;
  row.interruptions = counters.interruptions;
  row.suspects = counters.suspects;
  row.recalls = counters.recalls;
  row.free_ends = counters.free_ends;
  row.refused_submits = counters.refused_submits;
  row.refused_results = counters.refused_results;
  row.duplicates = counters.duplicates;
  row.unproductive_deaths = counters.unproductive_deaths;
  row.zombies = counters.zombies;
}

void set_queue(ipc::BoardPool& row, const QueueView& queue) {
  row.recording = queue.recording;
  row.ready = queue.ready;
  row.delayed = queue.delayed;
  row.blocked = queue.blocked;
  row.held = queue.held;
  row.running = queue.running;
  row.dead_letters = queue.dead_letters;
  row.payload_bytes = queue.payload_bytes;
  row.oldest_ready = queue.oldest_ready.ns;
}

void set_attempt(ipc::BoardSlot& row, const SlotView& view) {
  if (view.attempts_held.empty()) return;
  const auto& key = view.attempts_held.front().key;
  row.task = key.task.value;
  row.round = key.round;
  row.attempt = key.attempt;
}

void set_process(ipc::BoardSlot& row, const WorkerProcess* process) {
  if (process == nullptr) return;
  row.pid = process->child.pid;
  row.rss_bytes = process->memory.figure.rss_bytes;
  if (!process->sample) return;
  row.cpu = process->sample->cpu_time.ns;
  row.kernel_state = static_cast<std::uint8_t>(process->sample->state);
}

std::uint8_t slot_flags(const SlotView& view) {
  unsigned flags = 0;
  if (view.unresponsive) flags |= ipc::slot_flag::kUnresponsive;
  if (view.stopped) flags |= ipc::slot_flag::kStopped;
  if (view.reserved) flags |= ipc::slot_flag::kReserved;
  const bool ending = std::ranges::any_of(view.attempts_held, &AttemptView::cancelling);
  if (ending) flags |= ipc::slot_flag::kCancelling;
  return static_cast<std::uint8_t>(flags);
}

}  // namespace

Board::Board(Services& services, const Workers& workers, const Documents& documents,
             BoardPlace place)
    : services_(services),
      workers_(workers),
      documents_(documents),
      place_(std::move(place)),
      started_(services.engine.now()) {
  open(slots_wanted(services_.configuration));
  if (published_ && !published_->file.in_memory()) {
    services_.log.warn("the board in " + place_.path +
                       " lies on a disk, and writing it may have to wait for the disk; set "
                       "runtime_dir to a tmpfs, or board to false");
  }
}

Board::~Board() {
  if (!published_) return;
  fill(published_->writer);
  published_->writer.retire(ipc::BoardEnd::Stopped);
  published_->file.remove();
}

void Board::open(std::uint32_t slots_max) {
  auto made = make(slots_max);
  if (!made) {
    may_grow_ = false;
    services_.log.warn("no board is published in " + place_.path + ": " + made.error().text +
                       "; warmpool status --board finds none, or an old one");
    return;
  }
  if (published_) published_->writer.retire(ipc::BoardEnd::Replaced);
  published_ = std::make_unique<Published>(std::move(*made));
  written_at_ = services_.engine.now();
}

// The first copy is whole before anybody can find it.
Result<Board::Published> Board::make(std::uint32_t slots_max) {
  const ipc::BoardShape shape{classes_wanted(services_.configuration), slots_max};
  auto file = BoardFile::make(place_, shape.bytes());
  if (!file) return file.error();
  const auto started_at = services_.engine.clock().wall_of(started_).ns;
  ipc::BoardWriter writer(file->take_mapping(), shape, ::getpid(), started_at, kServerName);
  fill(writer);
  if (auto published = file->publish(); !published) return published.error();
  return Published{std::move(*file), std::move(writer)};
}

Instant Board::due() const {
  return pending_ && published_ ? written_at_ + services_.options().board_interval : kNever;
}

void Board::after_turn(bool changed) {
  pending_ = pending_ || changed;
  const auto now = services_.engine.now();
  if (!published_ || now < written_at_ + services_.options().board_interval) return;
  written_at_ = now;
  pending_ = false;
  const auto left_out = fill(published_->writer);
  if (left_out == 0 || !may_grow_) return;
  open(2 * (published_->writer.shape().slots_max + left_out));
}

void Board::look_after() {
  if (!published_ || published_->file.still_there()) return;
  services_.log.warn("the board in " + place_.path + " was taken away; it is made again");
  open(published_->writer.shape().slots_max);
}

std::uint32_t Board::fill(ipc::BoardWriter& writer) const {
  writer.begin();
  auto pool = pool_row();
  const auto overview = services_.engine.pool().overview();
  set_counters(pool, overview.counters);
  set_queue(pool, overview.queue);
  pool.processes_started = workers_.figures().processes_started();
  pool.flags = pool_flags(overview);
  for (const auto& view : overview.classes) writer.put(pool.classes++, class_row(view));
  for (std::uint16_t at = 0;; ++at) {
    const auto view = services_.engine.pool().slot(SlotId{at});
    if (!view) break;
    if (pool.slots == writer.shape().slots_max) {
      ++pool.slots_left_out;
    } else {
      writer.put(pool.slots++, slot_row(*view));
    }
  }
  writer.commit(pool);
  return pool.slots_left_out;
}

ipc::BoardPool Board::pool_row() const {
  ipc::BoardPool row{};
  auto& engine = services_.engine;
  const auto now = engine.now();
  row.updated_at = engine.clock().wall_of(now).ns;
  row.updated_monotonic = engine.clock().steady_of(now).time_since_epoch().count();
  row.interval = services_.options().board_interval.ns;
  row.uptime = (now - started_).ns;
  return row;
}

std::uint32_t Board::pool_flags(const Snapshot& overview) const {
  using namespace ipc::board_flag;
  std::uint32_t flags = 0;
  if (documents_.initialized()) flags |= kInitialized;
  if (overview.draining) flags |= kDraining;
  if (overview.stopping) flags |= kStopping;
  if (overview.store_accepting) flags |= kStoreAccepting;
  if (documents_.socket_lost()) flags |= kSocketLost;
  return flags;
}

ipc::BoardClass Board::class_row(const ClassView& view) const {
  const auto& options = services_.options_of(view.worker_class);
  ipc::BoardClass row{};
  ipc::put_text(row.name, options.name);
  row.target = view.target;
  row.size_min = static_cast<std::uint32_t>(options.size_min);
  row.size_max = static_cast<std::uint32_t>(options.size_max);
  row.slots = view.slots;
  row.ready = view.ready;
  row.running = view.running;
  row.failed = view.failed;
  row.capacity = view.capacity;
  row.in_flight = view.in_flight;
  return row;
}

ipc::BoardSlot Board::slot_row(const SlotView& view) const {
  const auto wall = [&](Instant at) {
    return at.ns == 0 ? 0 : services_.engine.clock().wall_of(at).ns;
  };
  const bool waits = view.state == SlotState::Backoff || view.state == SlotState::Failed;
  ipc::BoardSlot row{};
  // Its name also before its first worker.
  const auto& class_name = services_.options_of(view.worker_class).name;
  ipc::put_text(row.name, class_name + "-" + std::to_string(view.index));
  row.worker = view.worker.value;
  row.tasks_executed = view.attempts;
  row.tasks_of_process = view.attempts_of_worker;
  row.processes_spawned = view.spawns;
  row.busy = view.busy_time.ns;
  row.spawned_at = view.worker ? wall(view.spawned_at) : 0;
  row.last_heard = wall(view.last_heard);
  row.state_since = wall(view.state_since);
  row.retry_at = waits ? wall(view.retry_at) : 0;
  row.in_hand = static_cast<std::uint32_t>(view.attempts_held.size());
  row.unproductive_deaths = view.unproductive_deaths;
  row.worker_class = view.worker_class.value;
  row.state = number_of(view.state);
  row.flags = slot_flags(view);
  row.credits = view.credits;
  row.last_exit = number_of(view.last_cause);
  if (is_scored(view)) row.score = ipc::board_score(view.health_state.score());
  set_attempt(row, view);
  set_process(row, workers_.find(view.worker));
  return row;
}

}  // namespace warmpool::daemon
