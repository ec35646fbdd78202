// A turn. Handlers first, at most 256, so that no client keeps another one waiting; then one Tick,
// which judges deadlines and assigns; then the commands; then what the store answers, which may
// start it all again: a volatile store answers at once, and a task that was submitted is with its
// worker in the turn in which it came. Last, one gathered write for each peer.
#include <algorithm>
#include <utility>

#include "daemon/daemon.hpp"
#include "daemon/given_up.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::size_t kHandlersMax = 256;
// Commands that wait: one client that sends without end would otherwise fill a turn by itself, with
// 16 MiB of frames and half a second before anybody gets an answer.
constexpr std::size_t kCommandsMax = 2'048;
// Of dead letters that are retried or removed together.
constexpr std::size_t kBulkMax = 256;
// Of Tick, commands, answers. What is left then waits for the next turn.
constexpr int kRoundsMax = 16;
// How long replies may take to leave when the daemon ends.
constexpr Duration kLingerMax = milliseconds(500);

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace

Instant Daemon::next_deadline() const {
  if (again_) return engine_.now();
  return std::min({engine_.pool().next_deadline(), chores_.due(), workers_.due(), clients_.due(),
                   requests_.due(), alerts_.due(), engine_.due(),
                   submit_fifo_ ? submit_fifo_->due() : kNever, board_ ? board_->due() : kNever});
}

// Chores are due each second or so: who is late by much more than that was held. Before the first
// handler, so that nothing is judged by what that reads.
void Daemon::wake() {
  engine_.refresh();
  const auto late = engine_.now() - std::exchange(expected_, engine_.now());
  if (late > configuration_.pool.values.heartbeat_interval) engine_.step(event::LoopLate{late});
}

// What a turn has carried out is answered soon: by a worker, by the store, by a client that has its
// result. Nothing else is, so a daemon that is idle, or waits for one long task, sleeps at once.
Duration Daemon::awake_next() const {
  return carried_ && !again_ ? configuration_.pool.values.spin : Duration{};
}

bool Daemon::turn(Duration wait) {
  if (finished_) return false;
  const auto begun = clock_.now();
  const auto due = next_deadline();
  const auto deadline = std::min(due, begun + wait);
  expected_ = std::min(due, begun + std::max(wait, Duration{}));  // a test may not wait at all
  const auto handled = reactor_.run(
      clock_.steady_of(deadline), kHandlersMax,
      [this] { return engine_.command_count() >= kCommandsMax; }, awake_next());
  wake();
  const auto woken = engine_.now();
  if (woken > deadline && deadline >= begun) {
    figures_.late_max = std::max(figures_.late_max, woken - deadline);
  }
  again_ = requests_.run_bulk(kBulkMax);
  if (requests_.have_lists()) keeper_.catch_up();
  again_ = requests_.run_lists() || again_;
  if (submit_fifo_) submit_fifo_->take_lines();
  if (workers_.due() <= woken) workers_.sweep();
  chores_.run(woken);
  carried_ = settle();
  const bool worked = carried_ || handled > 0;
  engine_.end_turn();
  alerts_.tell();
  if (alerts_.due() <= woken) alerts_.sweep();
  again_ = events_.pump() || again_;
  workers_.flush();
  clients_.flush();
  workers_.bury();
  clients_.bury();
  if (submit_fifo_ && submit_fifo_->ready()) again_ = true;
  if (board_) board_->after_turn(worked);
  const auto took = clock_.now() - woken;
  ++figures_.turns;
  figures_.handlers += handled;
  figures_.busy_time = figures_.busy_time + took;
  figures_.turn_last = took;
  if (worked) flow_.turns_us.add(static_cast<std::uint64_t>(took.ns) / 1'000);
  figures_.turn_max = std::max(figures_.turn_max, took);
  return !finished_;
}

// Returns whether there was anything to carry out.
bool Daemon::settle() {
  bool worked = false;
  for (int round = 0; round < kRoundsMax; ++round) {
    attach_given_up(services_, workers_, engine_.step(event::Tick{}));
    engine_.take(commands_);
    worked = worked || !commands_.empty();
    for (auto& command : commands_) carry(command);
    bool answered = keeper_.commit();
    for (const auto& letter : archive_.take_answers(engine_.now())) {
      engine_.step(letter);
      answered = true;
    }
    if (const auto& broken = keeper_.broken(); broken && !broken_) on_broken(*broken);
    if (!answered && !engine_.has_commands()) return worked;
  }
  again_ = true;
  return worked;
}

// To whom it belongs: a connection, or submit.fifo.
template <class Answer>
void Daemon::answer(const Answer& command) {
  if (submit_fifo_ && submit_fifo_->is(command.client)) {
    submit_fifo_->carry(command);
  } else {
    clients_.carry(command);
  }
}

void Daemon::carry(Command& command) {
  std::visit(Overloaded{
                 [&](const command::Accepted& c) { answer(c); },
                 [&](const command::Refused& c) { answer(c); },
                 [&](const command::Cancelled& c) { clients_.carry(c); },
                 [&](const command::Completed& c) { clients_.carry(c); },
                 [&](const command::Spawn& c) { workers_.carry(c); },
                 [&](const command::Assign& c) { workers_.carry(c); },
                 [&](const command::CancelAttempt& c) { workers_.carry(c); },
                 [&](const command::Recall& c) { workers_.carry(c); },
                 [&](const command::Retire& c) { workers_.carry(c); },
                 [&](const command::AskCheckpoint& c) { workers_.carry(c); },
                 [&](const command::EndWorker& c) { workers_.carry(c); },
                 [&](const command::Admit& c) { workers_.carry(c); },
                 [&](const command::TurnAway& c) { workers_.carry(c); },
                 [&](const command::Disown& c) { workers_.carry(c); },
                 [&](command::Persist& c) { keeper_.carry(c); },
                 [&](const command::Archive& c) { archive_.carry(c); },
                 [&](const command::Announce& c) { clients_.carry(c); },
                 [&](const command::Notify& c) { notices_.carry(c); },
                 [&](const command::Finished& c) { on_finished(c); },
             },
             command);
}

void Daemon::on_finished(const command::Finished& finished) {
  finished_ = true;
  if (finished.lost == 0) {
    log_.info("stopped; nothing was left");
    return;
  }
  const bool durable = services_.store.figures().durable;
  const auto lost = durable ? finished.in_memory : finished.lost;
  if (const auto waiting = finished.lost - lost; waiting != 0) {
    log_.info("stopped; " + std::to_string(waiting) +
              (waiting == 1 ? " task waits" : " tasks wait") + " for the next start");
  }
  if (lost == 0) return;
  log_.warn("stopped; " + std::to_string(lost) +
            (lost == 1 ? " accepted task is" : " accepted tasks are") + " lost" +
            (durable ? ", of durability none, with the memory of this daemon:"
                     : " with the volatile store:") +
            lost_names(lost));
}

// The first of those that end with this daemon, among the oldest that have not settled.
std::string Daemon::lost_names(std::uint64_t lost) const {
  constexpr std::uint32_t named_max = 20, looked_at_max = 10'000;
  std::string names;
  std::uint64_t named = 0;
  for (const auto& task : engine_.pool().list({.after = {}, .limit = looked_at_max})) {
    if (task.state >= TaskState::Done || named == named_max) continue;
    const auto stored = services_.store.find(task.task);
    if (!stored || stored->durability != Durability::None) continue;
    names += " " + std::to_string(task.task.value);
    ++named;
  }
  return names + (named < lost ? " ..." : "");
}

// Nothing can be acknowledged any more, and what runs could not be kept.
void Daemon::on_broken(const Error& error) {
  broken_ = error;
  log_.error("the store: " + error.text);
  stop(true);
}

void Daemon::run() {
  // Deadlines bound the wait; the core, the chores and the workers name theirs.
  while (turn(hours(1))) {
  }
  if (acceptor_) acceptor_->close();
  if (submit_fifo_) submit_fifo_->close();
  board_.reset();
  linger();
}

// The last replies leave, as far as their clients read.
void Daemon::linger() {
  clients_.say_goodbye();
  const auto end = clock_.now() + kLingerMax;
  clients_.flush();
  clients_.bury();
  while (clients_.figures().connected != 0 && clock_.now() < end) {
    reactor_.run(clock_.steady_of(end), kHandlersMax, [] { return false; });
    clients_.flush();
    clients_.bury();
  }
}

}  // namespace warmpool::daemon
