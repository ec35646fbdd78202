// A process and not a thread of ours: what it waits for (a name, a proxy, a person's script) holds
// up nobody, it can be ended at any time, and it ends with the daemon.
#include "daemon/alerts/alert_program.hpp"

#include "daemon/exit_text.hpp"

namespace warmpool::daemon {
void AlertProgram::set_command(Command command) {
  command_ = std::move(command);
  if (command_) return;
  waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(in_run_), waiting_.end());
  figures_.trouble.clear();
}

void AlertProgram::tell(std::string alert) {
  if (!command_) return;
  waiting_.push_back(std::move(alert));
  if (waiting_.size() > kWaitingMax) {
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(in_run_));
    ++figures_.dropped;
  }
  if (!process_ && tries_ == 0) due_ = services_.engine.now();
}

std::string AlertProgram::document() {
  std::string text = "{\"schema\":1,\"alerts\":[";
  in_run_ = 0;
  for (const auto& alert : waiting_) {
    if (in_run_ > 0 && text.size() + alert.size() > kBytesMax) break;
    if (in_run_++ > 0) text += ',';
    text += alert;
  }
  return text + "]}";
}

void AlertProgram::start() {
  ++tries_;
  auto spec = command_(document());
  spec.role = SpawnRole::Helper;
  spec.slot = name_;
  spec.worker = WorkerId{kHelperNumbers + number_};
  number_ += kHelperParts;
  auto started = processes_.spawn(spec);
  if (!started) return end_run(started.error().text);
  killed_ = false;
  process_ = std::make_unique<HelperProcess>(std::move(*started), name_, services_.log);
  due_ = services_.engine.now() + kRunMax;
  const bool watched = process_->watch(services_.reactor, {[this] { on_exit(); }, {}},
                                       [this] { return services_.engine.now(); });
  if (!watched) processes_.kill_tree(process_->id());
}

void AlertProgram::on_exit() {
  std::string how;
  bool well = false;
  const bool buried = processes_.bury(process_->id(), [&](const Exit& exit) {
    process_->read_rest(services_.engine.now());
    well = exit.cause == ExitCause::Exited && exit.code == 0;
    how = exit_text(name_, exit);
  });
  if (!buried) {
    process_->stop_watching_exit();
    due_ = services_.engine.now() + ProcessPort::kBuryAgain;
    return;
  }
  if (!process_->launch_error().empty()) {
    how = process_->launch_error();
  } else if (killed_) {
    how = name_ + " took more than " + duration_text(kRunMax);
  } else if (!process_->last_words().empty()) {
    how += ": " + process_->last_words();
  }
  process_->stop_watching_exit();
  finished_ = std::move(process_);  // its watch may have called this
  end_run(well ? "" : how);
}

void AlertProgram::end_run(const std::string& how) {
  const auto now = services_.engine.now();
  figures_.trouble = how;
  const bool over = how.empty() || tries_ >= kTriesMax || !command_;
  if (!how.empty()) {
    services_.log.warn(how + (over ? "; " + std::to_string(in_run_) +
                                         (in_run_ == 1 ? " alert was" : " alerts were") +
                                         " not told by it"
                                   : "; it is tried again"));
  }
  due_ = over ? (waiting_.size() > in_run_ ? now : kNever) : now + kTryAgain;
  if (over) {
    (how.empty() ? figures_.told : figures_.dropped) += in_run_;
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(in_run_));
    tries_ = 0;
  }
  in_run_ = 0;
}

void AlertProgram::sweep() {
  finished_.reset();
  if (due_ > services_.engine.now()) return;
  due_ = kNever;
  if (!process_) {
    if (command_ && !waiting_.empty()) start();
    return;
  }
  if (!process_->watches_exit()) return on_exit();
  if (!killed_) processes_.kill_tree(process_->id());
  killed_ = true;
  due_ = services_.engine.now() + ProcessPort::kBuryAgain;
}

}  // namespace warmpool::daemon
