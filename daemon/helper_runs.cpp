// What has ended is told in sweep(), after the handlers: whoever is told may start the next one.
#include "daemon/helper_runs.hpp"

#include <algorithm>
#include <utility>

#include "daemon/exit_text.hpp"

namespace warmpool::daemon {
std::uint64_t HelperRuns::start(HelperRun run) {
  waiting_.push_back({++last_, std::move(run), {}});
  look_at(services_.engine.now());
  return last_;
}

void HelperRuns::cancel(std::uint64_t number) {
  const auto waits = std::ranges::find(waiting_, number, &Waiting::number);
  if (waits != waiting_.end()) {
    waits->told = Error{0, waits->run.title + " is not wanted any more"};
    return look_at(services_.engine.now());
  }
  const auto found = running_.find(number);
  if (found != running_.end()) kill(found->second, "is not wanted any more");
}

void HelperRuns::kill(Running& running, std::string why) {
  if (running.process->buried || !running.killed.empty()) return;
  running.killed = std::move(why);
  running.deadline = services_.engine.now() + kKilledMax;
  look_at(running.deadline);
  processes_.kill_tree(running.process->id());
}

std::size_t HelperRuns::working() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(running_, [](const auto& each) { return !each.second.told; }));
}

void HelperRuns::begin(Waiting waiting) {
  auto& run = waiting.run;
  run.spec.role = SpawnRole::Helper;
  run.spec.worker = WorkerId{kHelperNumbers + part_ + kHelperParts * waiting.number};
  auto started = processes_.spawn(run.spec);
  if (!started) return run.ended(started.error());
  Running running;
  running.run = std::move(run);
  running.process = std::make_unique<HelperProcess>(std::move(*started), running.run.title,
                                                    services_.log, running.run.level);
  running.deadline = services_.engine.now() + running.run.timeout;
  look_at(running.deadline);
  auto& placed = running_.emplace(waiting.number, std::move(running)).first->second;
  const auto number = waiting.number;
  const bool watched =
      placed.process->watch(services_.reactor, {[this, number] { on_exit(number); }, {}},
                            [this] { return services_.engine.now(); });
  if (!watched) kill(placed, "cannot be watched: the kernel watches no more descriptors");
}

void HelperRuns::on_exit(std::uint64_t number) {
  auto& running = running_.at(number);
  auto& process = *running.process;
  if (process.buried) return;
  Exit exit;
  process.buried = processes_.bury(process.id(), [&](const Exit& seen) {
    process.read_rest(services_.engine.now());
    exit = seen;
  });
  process.stop_watching_exit();
  if (!process.buried) return look_at(services_.engine.now() + ProcessPort::kBuryAgain);
  look_at(services_.engine.now());
  const auto& title = running.run.title;
  const bool launched = process.launch_error().empty();
  if (launched && running.killed.empty() && exit.cause == ExitCause::Exited && exit.code == 0) {
    return tell(running, {});
  }
  std::string how = !launched                ? title + ": " + process.launch_error()
                    : running.killed.empty() ? exit_text(title, exit)
                                             : title + " " + running.killed;
  if (!process.last_words().empty()) how += ": " + process.last_words();
  tell(running, Error{exit.code, std::move(how)});
}

// In sweep(): here it is only kept.
void HelperRuns::tell(Running& running, Result<void> how) {
  if (std::exchange(running.told, true)) return;
  waiting_.push_front({0, std::move(running.run), std::move(how)});
  look_at(services_.engine.now());
}

void HelperRuns::sweep() {
  const auto now = services_.engine.now();
  due_ = kNever;
  for (auto& [number, running] : running_) {
    auto& process = *running.process;
    if (!process.buried && !process.watches_exit()) on_exit(number);
    if (process.buried || running.told) continue;
    if (running.deadline > now) {
      look_at(running.deadline);
    } else if (running.killed.empty()) {
      kill(running, "took longer than " + duration_text(running.run.timeout) + " (" +
                        running.run.timeout_option + ") and was killed");
    } else {
      tell(running, Error{0, running.run.title + " was killed and does not end"});
    }
  }
  std::erase_if(running_, [](const auto& each) { return each.second.process->buried; });
  for (auto left = waiting_.size(); left > 0; --left) {
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    if (next.told) {
      next.run.ended(*next.told);
    } else if (working() < at_once_max_) {
      begin(std::move(next));
    } else {
      waiting_.push_back(std::move(next));
    }
  }
}

}  // namespace warmpool::daemon
