// A ping is answered by whoever reads the worker's channel; a command is a process of the daemon's
// own, supervised as workers are; a GET is a socket in the loop. So no check holds up anybody.
#include "daemon/checks.hpp"

#include <algorithm>

#include "daemon/exit_text.hpp"
#include "daemon/process/process_tree.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::uint64_t kPart = 3;  // of kHelperParts
// The checks of a class are spread over its interval by the places of its workers.
constexpr std::int64_t kPlaces = 64;

}  // namespace

Checks::Checks(Services& services, ProcessPort& processes, const WorkerPlaces& places,
               const std::vector<std::optional<Identity>>& identities, Ping ping)
    : services_(services),
      processes_(processes),
      places_(places),
      identities_(identities),
      ping_(std::move(ping)) {}

// A class that is checked no more passes: what its last check said is of no use.
void Checks::look_if_due(WorkerProcess& worker) {
  if (worker.buried || !worker.ready || worker.check.running) return;
  const auto& options = services_.options_of(worker.worker_class);
  const auto now = services_.engine.now();
  auto& check = worker.check;
  if (options.check == "none") {
    if (check.failures != 0) services_.engine.step(event::WorkerChecked{worker.id, true, {}});
    check = {};
    return;
  }
  if (check.due.ns == 0) {
    const auto place = static_cast<std::int64_t>(worker.slot.value * 37U) % kPlaces + 1;
    check.due = now + options.check_interval / kPlaces * place;
  }
  check.due = std::min(check.due, now + options.check_interval);
  if (now < check.due || running_.size() >= kRunningMax) return;
  check.due = now + options.check_interval;
  begin(worker);
}

void Checks::begin(WorkerProcess& worker) {
  const auto& options = services_.options_of(worker.worker_class);
  auto running = std::make_unique<Running>();
  running->worker = &worker;
  running->begun = services_.engine.now();
  running->until = running->begun + options.check_timeout;
  running->token = ++last_;
  worker.check.running = true;
  auto& made = *running_.emplace(last_, std::move(running)).first->second;
  due_ = std::min(due_, made.until);
  if (options.check == "process") {
    tell(made, look_at_process(worker));
  } else if (options.check == "ping") {
    ping_(worker, made.token);
  } else if (options.check == "command") {
    begin_command(worker, made);
  } else {
    begin_http(worker, made);
  }
}

Checks::Verdict Checks::look_at_process(WorkerProcess& worker) const {
  auto opened = ProcessSampler::open(worker.child.pid);
  const auto sample = opened ? opened->sample() : std::nullopt;
  if (!sample) return {false, "its process is not there"};
  if (sample->state == 'Z' || sample->state == 'X') {
    // Its first thread alone may have ended; the others serve.
    const int notice = worker.child.exit_notice.get();
    if (notice < 0 || is_dead(notice)) return {false, "its process is dead"};
    return {true, "its process is there, without its first thread"};
  }
  if (sample->stopped()) return {false, "its process is stopped"};
  return {true, std::string("its process is there (") + sample->state + ")"};
}

SpawnSpec Checks::spec_of(const WorkerProcess& worker) const {
  const auto& options = services_.options_of(worker.worker_class);
  const auto slot = places_.slot_name(worker.slot);
  SpawnSpec spec;
  spec.role = SpawnRole::Helper;
  spec.slot = slot;
  spec.worker = WorkerId{kHelperNumbers + kPart + kHelperParts * last_};
  spec.command = options.check_command;
  spec.environment = options.environment;
  spec.environment.push_back("WORKER_PID=" + std::to_string(worker.child.pid));
  spec.environment.push_back("WORKER_CLASS=" + options.name);
  spec.environment.push_back("WORKER_NUMBER=" + std::to_string(places_.number(worker.slot)));
  spec.environment.push_back("WORKER_BUSY=" + std::string(worker.in_hand.empty() ? "0" : "1"));
  if (!options.working_directory.empty()) spec.working_directory = options.working_directory;
  spec.identity = identities_[worker.worker_class.value];
  return spec;
}

void Checks::begin_command(WorkerProcess& worker, Running& running) {
  auto started = processes_.spawn(spec_of(worker));
  if (!started) return tell(running, {false, started.error().text});
  const auto title = "check of " + places_.slot_name(worker.slot);
  running.program =
      std::make_unique<HelperProcess>(std::move(*started), title, services_.log, LogLevel::Debug);
  auto* it = &running;
  const bool watched = running.program->watch(services_.reactor, {[this, it] { on_exit(*it); }, {}},
                                              [this] { return services_.engine.now(); });
  if (!watched) processes_.kill_tree(running.program->id());
}

void Checks::begin_http(WorkerProcess& worker, Running& running) {
  const auto& options = services_.options_of(worker.worker_class);
  const auto slot = places_.slot_name(worker.slot);
  const UrlFacts facts{worker.child.pid, slot, places_.number(worker.slot)};
  const auto url = local_url(options.check_url, facts);
  if (!url) return tell(running, {false, "check_url is no URL on this machine"});
  running.http = std::make_unique<HttpProbe>(services_.reactor, *url, [this] { wake(); });
}

void Checks::on_exit(Running& running) {
  Verdict verdict;
  auto& program = *running.program;
  const bool buried = processes_.bury(program.id(), [&](const Exit& exit) {
    program.read_rest(services_.engine.now());
    verdict.passed = exit.cause == ExitCause::Exited && exit.code == 0;
    verdict.text = exit_text("check_command", exit);
  });
  program.stop_watching_exit();
  wake();
  if (!buried) return;  // a debugger holds it: sweep() looks again
  running.exited = true;
  if (!program.launch_error().empty()) verdict = {false, program.launch_error()};
  if (!program.last_words().empty()) verdict.text += ": " + program.last_words();
  tell(running, verdict);
}

void Checks::pong(WorkerProcess& worker, std::uint64_t token) {
  const auto found = running_.find(token);
  if (found == running_.end() || found->second->worker != &worker) return;
  tell(*found->second, {true, "answered a ping"});
}

// Once for each. The loop's own lateness is nobody's failure.
void Checks::tell(Running& running, const Verdict& verdict) {
  auto* worker = std::exchange(running.worker, nullptr);
  wake();
  if (worker == nullptr) return;
  const auto now = services_.engine.now();
  auto& check = worker->check;
  check.running = false;
  const bool late = now > running.until + services_.options().heartbeat_interval;
  const bool off = services_.options_of(worker->worker_class).check == "none";
  if (!verdict.passed && (late || off)) return;
  check.at = now;
  check.took = now - running.begun;
  check.passed = verdict.passed;
  check.text = verdict.text.substr(0, 1024);
  check.failures = verdict.passed ? 0 : check.failures + 1;
  if (!verdict.passed) {
    services_.log.warn(places_.slot_name(worker->slot) + " fails its check, " +
                       std::to_string(check.failures) + " in a row: " + check.text);
  }
  services_.engine.step(event::WorkerChecked{worker->id, verdict.passed, check.took});
}

void Checks::forget(WorkerId worker) {
  for (const auto& [number, running] : running_) {
    if (running->worker != nullptr && running->worker->id == worker) running->worker = nullptr;
  }
  wake();
}

bool Checks::is_over(const Running& running) const {
  return running.worker == nullptr && (!running.program || running.exited);
}

void Checks::judge(Running& running) {
  const auto now = services_.engine.now();
  if (running.http && running.http->answer()) {
    const auto& answer = *running.http->answer();
    tell(running, {answer.well, answer.text});
  }
  if (running.worker != nullptr && running.until <= now) {
    const auto& options = services_.options_of(running.worker->worker_class);
    tell(running, {false, "no answer within " + duration_text(options.check_timeout)});
  }
  if (!running.program || running.exited) return;
  if (!running.program->watches_exit()) return on_exit(running);
  if (running.worker == nullptr) processes_.kill_tree(running.program->id());
}

void Checks::sweep() {
  const auto now = services_.engine.now();
  if (due_ > now) return;
  due_ = kNever;
  for (const auto& [number, running] : running_) judge(*running);
  std::erase_if(running_, [this](const auto& one) { return is_over(*one.second); });
  due_ = kNever;
  for (const auto& [number, running] : running_) {
    const bool ends = running->worker == nullptr;
    due_ = std::min(due_, ends ? now + ProcessPort::kBuryAgain : running->until);
  }
}

}  // namespace warmpool::daemon
