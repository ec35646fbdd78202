// A process is known by its number and its start. It lets go by ending, or by its hello: a worker
// ends what it runs before it connects again (docs/protocol.md, section 1).
#include "daemon/outlived.hpp"

#include <algorithm>
#include <csignal>

#include "daemon/process/process_tree.hpp"

namespace warmpool::daemon {

void Outlived::tell() {
  const auto entries = file_.entries();
  for (const auto& entry : entries) {
    const auto known = std::ranges::find_if(
        processes_, [&](const auto& process) { return process->name == entry.process; });
    if (known != processes_.end()) {
      (*known)->entries.push_back(entry);
      continue;
    }
    auto process = std::make_unique<Process>();
    process->name = entry.process;
    process->pidfd = open_pidfd(entry.process.pid);
    // The pidfd first: then the name is of whom it means.
    const bool lives = process->pidfd && name_of_process(entry.process.pid) == entry.process &&
                       !is_dead(process->pidfd.get());
    if (!lives) {
      file_.erase(entry.place);
      continue;
    }
    process->entries.push_back(entry);
    processes_.push_back(std::move(process));
  }
  for (auto& process : processes_) {
    for (const auto& entry : process->entries) {
      services_.engine.step(event::Outlived{entry.task, false});
    }
    auto* it = process.get();
    it->watch = services_.reactor.watch(it->pidfd.get(), [this, it] { end(*it, "has ended"); });
    if (it->watch) it->watch->start_reading();
    services_.log.warn("process " + std::to_string(it->name.pid) +
                       ", which nobody here started, "
                       "was at " +
                       std::to_string(it->entries.size()) +
                       " attempts when the daemon ended; they wait until it has let go of them");
  }
}

void Outlived::end(Process& process, std::string_view why) {
  if (process.over) return;
  process.over = true;
  process.watch.reset();
  services_.log.info("process " + std::to_string(process.name.pid) + " " + std::string(why) +
                     "; what it was at goes on");
  for (const auto& entry : process.entries) {
    file_.erase(entry.place);
    services_.engine.step(event::Outlived{entry.task, true});
  }
}

void Outlived::came_again(const ProcessName& name) {
  for (auto& process : processes_) {
    if (process->name == name) end(*process, "has come again");
  }
}

Duration Outlived::left() const {
  const auto& options = services_.options();
  const auto most = options.reconnect_grace + options.unkillable_after;
  return std::max(most - waited_, Duration{});
}

void Outlived::watch() {
  std::erase_if(processes_, [](const auto& process) { return process->over; });
  if (processes_.empty()) return;
  const auto& options = services_.options();
  const auto now = services_.engine.now();
  if (watched_at_) waited_ = waited_ + std::min(now - *watched_at_, kInterval);
  watched_at_ = now;
  if (waited_ < options.reconnect_grace) return;
  const bool all = left() == Duration{};
  for (auto& process : processes_) {
    // Not watched: the kernel had no room for that.
    if (all) {
      end(*process, "is waited for no longer");
    } else if (is_dead(process->pidfd.get())) {
      end(*process, "has ended");
    } else if (options.registered_kill && !process->killed) {
      process->killed = true;
      const int fault = send_signal(process->pidfd.get(), SIGKILL);
      services_.log.warn("process " + std::to_string(process->name.pid) +
                         " does not come back and is killed" +
                         (fault == 0 ? "" : ": the kernel does not allow it"));
    }
  }
}

}  // namespace warmpool::daemon
