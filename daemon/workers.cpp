// Processes of workers, from spawn to burial. The core believes in a death only when WorkerExited
// says so, so every path ends there, also that of a spawn that failed.
#include "daemon/workers.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "daemon/autopsy.hpp"
#include "daemon/exit_text.hpp"
#include "daemon/process/launch_outcome.hpp"

namespace warmpool::daemon {
void Workers::watch(WorkerProcess& worker) {
  auto& reactor = services_.reactor;
  const auto start = [&](int fd, Reactor::Handler readable, Reactor::Handler writable = {}) {
    auto made = reactor.watch(fd, std::move(readable), std::move(writable));
    if (made) made->start_reading();
    return made;
  };
  auto* it = &worker;
  worker.exit_watch = start(worker.child.exit_notice.get(), [this, it] { on_exit(*it); });
  if (worker.exit_watch) worker.exit_watch->go_first();
  const bool pipes = worker.channel.over_pipes();
  worker.channel_watch = start(
      worker.channel.fd(), [this, it] { read(*it); }, [this, it] { write(*it); });
  if (worker.channel_watch) worker.channel_watch->go_first();
  if (pipes) {
    worker.write_watch = reactor.watch(
        worker.channel.write_fd(), [this, it] { reader_gone(*it); }, [this, it] { write(*it); });
  }
  if (worker.registered) {
    if (worker.exit_watch && worker.channel_watch) return;
    return leave(worker, ExitCause::ChannelClosed);
  }
  if (worker.child.launch_status) {
    worker.launch_watch = start(worker.child.launch_status.get(), [this, it] { read_launch(*it); });
  }
  worker.output_watch = start(worker.child.output.get(), [this, it] {
    pump(*it, it->output, it->child.output, it->output_watch);
  });
  worker.errors_watch = start(worker.child.errors.get(), [this, it] {
    pump(*it, it->errors, it->child.errors, it->errors_watch);
  });
  if (worker.exit_watch && worker.channel_watch && (worker.write_watch || !pipes)) return;
  ++figures_.spawn_failures;
  worker.launch_error = "the kernel watches no more descriptors; raise fs.epoll.max_user_watches";
  services_.log.error(places_.slot_name(worker.slot) + ": " + worker.launch_error);
  processes_.kill_tree(worker.id);
}

void Workers::read_launch(WorkerProcess& worker) {
  if (!worker.child.launch_status) return;
  auto outcome = launch_outcome(worker.child.launch_status.get());
  if (outcome.state == LaunchState::Pending) return;
  worker.launch_watch.reset();
  worker.child.launch_status.reset();
  if (outcome.state == LaunchState::Running) return;
  ++figures_.spawn_failures;
  worker.launch_error = std::move(outcome.error.text);
  services_.log.error(places_.slot_name(worker.slot) + ": " + worker.launch_error);
}

void Workers::on_exit(WorkerProcess& worker) {
  if (worker.buried) return;
  worker.buried = processes_.bury(worker.id, [&](const Exit& exit) {
    drain(worker);
    tell_exit(worker, exit);
    for (auto& held : worker.in_hand) forget(held);
  });
  if (worker.buried) {
    buried_.push_back(worker.id);
    return;
  }
  // A debugger holds it: its notice would stay readable, so it is looked at now and then.
  worker.exit_watch.reset();
  due_ = std::min(due_, services_.engine.now() + ProcessPort::kBuryAgain);
}

// Takes at most what is there: a stranger who holds the other end must not hold us.
void Workers::drain(WorkerProcess& worker) {
  read_launch(worker);
  worker.holds_none = true;
  release(worker);
  auto waiting = bytes_waiting(worker.channel.fd());
  while (waiting > 0 && !worker.broken) {
    if (worker.channel.read(waiting) != FrameStream::Read::Some) break;
    take_frames(worker);
    waiting -= std::min(waiting, FrameStream::kReadBytesMax);
  }
  take_output(worker);
  worker.exit_watch.reset();
  worker.channel_watch.reset();
  worker.write_watch.reset();
  worker.output_watch.reset();
  worker.errors_watch.reset();
  worker.channel.close();
}

void Workers::tell_exit(WorkerProcess& worker, const Exit& exit) {
  const bool launched = worker.launch_error.empty();
  const auto cause = launched ? exit.cause : ExitCause::SpawnFailed;
  auto text = launched ? exit_text(places_.slot_name(worker.slot), exit) : worker.launch_error;
  if (!worker.memory.over.empty()) text += ": it had " + worker.memory.over;
  services_.log.write(worker.in_hand.empty() ? LogLevel::Debug : LogLevel::Warn, text);
  for (auto& held : worker.in_hand) {
    tell_progress(held);
    keep_checkpoint(worker, held);
  }
  const auto running = worker.page ? worker.page->read().running : 0;
  auto of_worker = autopsy_of_end(services_, places_, worker, exit);
  if (!of_worker.empty()) places_.remember_death(worker.slot, std::move(of_worker));
  const auto commands =
      services_.engine.step(event::WorkerExited{worker.id, cause, exit.code, running});
  auto since = services_.engine.now();
  for (const auto& held : worker.in_hand) since = std::min(since, held.assigned_at);
  for (const auto& command : commands) {
    RecordNumber number;
    TaskId task;
    WorkerId ended;
    if (!ends_attempt(command, number, task, ended) || ended != worker.id) continue;
    const auto held =
        std::ranges::find(worker.in_hand, task, [](const InHand& each) { return each.key.task; });
    const bool had = held != worker.in_hand.end();
    auto autopsy = had ? autopsy_of_end(services_, places_, worker, exit, &*held) : std::string();
    auto output = output_since(worker, since, task);
    services_.engine.attach(number,
                            failure_attachment(text, std::move(output), std::move(autopsy)));
  }
}

// What is read now was written by the task that runs: the first in hand, unless several run. Where
// the worker says more itself, this is for what it says nothing of.
OutputRing& Workers::ring_for(WorkerProcess& worker) {
  auto& ring = places_.ring(worker.slot, worker.worker_class);
  const bool one_runs = services_.one_runs(worker.worker_class);
  const bool known = one_runs && !worker.in_hand.empty();
  const auto task = known ? worker.in_hand.front().key.task : TaskId{};
  if (worker.output.heeds_marks()) {
    worker.output.set_unmarked(task);
    worker.errors.set_unmarked(task);
  } else {
    ring.set_task(task);
  }
  return ring;
}

// Before its answer is taken: from then on what comes is the next one's. Nearly always there is
// nothing, which one call tells of both.
void Workers::take_output(WorkerProcess& worker) {
  const int output = worker.child.output.get(), errors = worker.child.errors.get();
  std::array<pollfd, 2> pipes{{{output, POLLIN, 0}, {errors, POLLIN, 0}}};
  if (::poll(pipes.data(), pipes.size(), 0) <= 0) return;
  if ((pipes[0].revents & POLLIN) != 0) pump_what_is_there(worker, worker.output, output);
  if ((pipes[1].revents & POLLIN) != 0) pump_what_is_there(worker, worker.errors, errors);
}

void Workers::pump(WorkerProcess& worker, OutputPump& pump, ipc::UniqueFd& fd,
                   std::unique_ptr<Watch>& watch) {
  auto& ring = ring_for(worker);
  const auto result = pump.pump(fd.get(), ring, services_.engine.now());
  figures_.output_bytes += result.read;
  if (result.read != 0) printed(worker);
  if (!result.closed) return;
  watch.reset();
  fd.reset();
}

void Workers::pump_what_is_there(WorkerProcess& worker, OutputPump& pump, int fd) {
  if (fd < 0) return;
  auto left = bytes_waiting(fd);
  if (left == 0) return;
  auto& ring = ring_for(worker);
  while (left > 0) {
    const auto result = pump.pump(fd, ring, services_.engine.now(), left);
    figures_.output_bytes += result.read;
    if (result.read == 0 || result.closed) return;
    left -= std::min(left, result.read);
  }
}

// Where the worker says whose its lines are, those of its neighbours are not the task's.
std::vector<std::string> Workers::output_since(const WorkerProcess& worker, Instant since,
                                               TaskId task) const {
  constexpr std::size_t lines_max = 20, searched = 200;  // among its neighbours'
  std::vector<std::string> texts;
  const auto* ring = places_.output_of(worker.slot);
  if (ring == nullptr) return texts;
  const bool told = worker.output.has_marks() || worker.errors.has_marks();
  auto lines = ring->lines(told ? searched : lines_max);
  for (auto line = lines.rbegin(); line != lines.rend() && texts.size() < lines_max; ++line) {
    const auto in_hand = [&](const InHand& held) { return held.key.task == line->task; };
    const bool its_own = !line->task || line->task == task ||
                         (!told && std::ranges::any_of(worker.in_hand, in_hand));
    if (its_own && line->at >= since) texts.push_back(std::move(line->text));
  }
  std::ranges::reverse(texts);
  return texts;
}

void Workers::carry(const command::EndWorker& command) {
  const auto found = workers_.find(command.worker.value);
  if (found == workers_.end() || found->second->buried) {
    if (starts_.remove(command.worker) || directories_.end(command.worker)) {
      return tell_never_started(command.worker);
    }
    if (recovery_commands_.end(command.worker)) return;
    templates_.end(command.worker);
    return;
  }
  auto* worker = found->second.get();
  note_ending(*worker, command);
  if (worker->registered && end_stranger(*worker, command)) return;
  services_.log.info(places_.slot_name(worker->slot) + " (pid " +
                     std::to_string(worker->child.pid) + ") gets " +
                     (command.force == command::Force::Term ? "SIGTERM" : "SIGKILL") + ": " +
                     std::string(name_of(command.cause)));
  if (command.force == command::Force::Kill) {
    processes_.kill_tree(command.worker);
  } else if (auto sent = processes_.signal(command.worker, SIGTERM); !sent) {
    services_.log.debug(places_.slot_name(worker->slot) + ": " + sent.error().text);
  }
}

void Workers::bury() {
  for (const auto id : buried_) {
    health_.checks().forget(id);
    workers_.erase(id.value);
  }
  buried_.clear();
  templates_.bury();
  starts_.end_turn();
}

Instant Workers::due() const {
  if (!starts_.empty()) return services_.engine.now();
  return std::min({due_, templates_.due(), recovery_commands_.due(), directories_.due(),
                   health_.checks().due()});
}

void Workers::sweep() {
  const auto now = services_.engine.now();
  const auto timeout = services_.options().frame_timeout;
  due_ = kNever;
  starts_.more();
  templates_.sweep();
  recovery_commands_.sweep();
  health_.checks().sweep();
  directories_.sweep();
  for (const auto& [id, worker] : workers_) {
    if (worker->buried) continue;
    if (!worker->exit_watch) on_exit(*worker);
    if (worker->buried || worker->broken) continue;
    if (worker->held && worker->held->released) release(*worker);
    if (worker->write_at && now >= *worker->write_at) write(*worker);
    if (worker->write_at) due_ = std::min(due_, *worker->write_at);
    if (worker->unreadable) end_unreadable(*worker);
    if (worker->broken) continue;
    for (auto& held : worker->in_hand) {
      tell_due_progress(held, now);
      keep_due_checkpoint(*worker, held, now);
    }
    const bool closed = worker->closed_at && now - *worker->closed_at >= worker->last_words();
    if (closed && worker->registered && worker->in_hand.empty()) {
      leave(*worker, ExitCause::ChannelClosed);
    } else if (closed) {
      worker->broken = true;
      services_.engine.step(event::WorkerBroken{worker->id, ExitCause::ChannelClosed});
    } else if (worker->closed_at) {
      due_ = std::min(due_, *worker->closed_at + worker->last_words());
    } else if (worker->frame_since && !worker->held && now - *worker->frame_since > timeout) {
      break_off(*worker, static_cast<int>(Refusal::TooSlow), "a frame was begun and not finished");
    }
  }
}

// Nothing of a page is believed: any change is a beat, and a process that changes its page without
// need harms only our knowledge of itself.
void Workers::read_pages() {
  const auto now = services_.engine.now();
  for (const auto& [id, worker] : workers_) {
    if (worker->buried || !worker->page) continue;
    const auto tallies = worker->page->read();
    if (tallies == worker->tallies) continue;
    worker->tallies = tallies;
    worker->last_heard = now;
    services_.engine.step(event::WorkerBeat{worker->id});
  }
}

// A beat is seen at most so long after it was made, and still in time to be no silence.
Duration Workers::page_interval() const {
  const auto& options = services_.options();
  const auto slack = (options.unresponsive_after - options.heartbeat_interval) / 2;
  return std::clamp(slack, milliseconds(1), options.sample_interval);
}

void Workers::watch_memory() {
  memory_.begin_pass();
  for (const auto& [id, worker] : workers_) memory_.look_if_due(*worker);
}

void Workers::reap_orphans() {
  const auto orphans = processes_.reap_orphans();
  for (const auto& [id, worker] : workers_) {
    std::vector<pid_t> adopted;
    for (const auto& one : orphans.living) {
      if (one.worker == worker->id) adopted.push_back(one.pid);
    }
    left_behind_.look(*worker, std::move(adopted));
  }
  for (const auto& path : orphans.cgroups_left) {
    services_.log.warn("cannot remove the cgroup of a worker that is gone; rmdir what is below " +
                       path);
  }
  if (orphans.killed == 0) return;
  services_.log.warn("killed " + std::to_string(orphans.killed) +
                     " processes that workers had left behind");
}

bool Workers::report(SlotId home, std::uint32_t uid, std::string_view status, TaskId task) {
  WorkerProcess* present = nullptr;
  for (const auto& [id, worker] : workers_) {
    if (worker->slot != home || worker->buried) continue;
    const auto later = [](const WorkerProcess& a, const WorkerProcess& b) {
      return std::pair(a.ready, a.id) < std::pair(b.ready, b.id);
    };
    if (present == nullptr || later(*present, *worker)) present = worker.get();
  }
  if (present == nullptr) return false;
  const auto& identity = identities_[present->worker_class.value];
  if (uid != 0 && uid != ::geteuid() && !(identity && identity->uid == uid)) return false;
  places_.report(home, {services_.engine.now(), std::string(status), task});
  present->last_heard = services_.engine.now();
  services_.engine.step(event::WorkerBeat{present->id});
  return true;
}

const WorkerProcess* Workers::find(WorkerId worker) const {
  const auto* found = find_any(worker);
  return found == nullptr || found->buried ? nullptr : found;
}

const WorkerProcess* Workers::find_any(WorkerId worker) const {
  const auto found = workers_.find(worker.value);
  return found == workers_.end() ? nullptr : found->second.get();
}

WorkerFigures Workers::figures() const {
  auto figures = figures_;
  figures.alive = workers_.size();
  figures.left_behind = left_behind_.counted();
  return figures;
}

}  // namespace warmpool::daemon
