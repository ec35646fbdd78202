// A template is asked for one worker at a time: an answer takes a millisecond or two, and whoever
// fails then has failed one worker. A worker that waits for a template that fails starts without;
// so does every one until the next try. Hence the core knows of none of this.
#include "daemon/templates.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>

#include "daemon/exit_text.hpp"
#include "ipc/descriptor_passing.hpp"
#include "pool/jitter.hpp"

namespace warmpool::daemon {
namespace {

using Kind = ipc::TemplateAnswer::Kind;

// Numbers of the core's workers begin at the bottom.
constexpr std::uint64_t kTemplateNumbers = std::uint64_t{1} << 63;
constexpr int kPacketsMax = 16;  // of one turn
// How a worker ends that finds no channel, so also one that knows nothing of templates.
constexpr int kNoChannel = 2;

}  // namespace

std::string_view text_of(TemplateState state) {
  constexpr std::array<std::string_view, 5> words{"none", "starting", "ready", "resting", "unfit"};
  return words[static_cast<std::size_t>(state)];
}

Templates::Templates(Services& services, ProcessPort& processes, Handlers handlers)
    : services_(services), processes_(processes), handlers_(std::move(handlers)) {}
Templates::~Templates() = default;

const ClassOptions& Templates::options_of(const OfClass& of) const {
  return services_.options_of(of.id);
}

std::string Templates::title_of(const OfClass& of) const {
  return "template " + std::to_string(of.view.generation) + " of class '" + options_of(of).name +
         "'";
}

Duration Templates::patience() const {
  return std::min(kPatience, services_.options().unresponsive_after);
}

void Templates::look_at(Instant deadline) { due_ = std::min(due_, deadline); }

bool Templates::take(Wanted& wanted) {
  const auto id = wanted.command.worker_class;
  if (services_.options_of(id).preload.empty()) return false;
  auto& of = classes_[id.value];
  of.id = id;
  if (of.view.state == TemplateState::None) start(of);
  if (of.view.state != TemplateState::Starting && of.view.state != TemplateState::Ready) {
    return false;
  }
  of.waiting.push_back(std::move(wanted));
  pump(of);
  return true;
}

bool Templates::end(WorkerId worker) {
  for (auto& [number, of] : classes_) {
    if (of.making && of.making->wanted.command.worker == worker) {
      of.making->doomed = true;
      return true;
    }
    const auto waits = std::ranges::find_if(
        of.waiting, [&](const Wanted& wanted) { return wanted.command.worker == worker; });
    if (waits == of.waiting.end()) continue;
    auto wanted = std::move(*waits);
    of.waiting.erase(waits);
    handlers_.ended(std::move(wanted), std::nullopt);
    return true;
  }
  return false;
}

void Templates::start(OfClass& of) {
  ++of.view.generation;
  auto spec = handlers_.spec_of_template(of.id);
  spec.worker = WorkerId{kTemplateNumbers + serial_++};
  auto started = processes_.spawn(spec);
  if (!started) return fail(of, "does not start: " + started.error().text);
  of.process = std::make_unique<HelperProcess>(std::move(*started), title_of(of), services_.log);
  of.view.state = TemplateState::Starting;
  of.view.pid = of.process->pid();
  of.view.reason.clear();
  of.started_at = services_.engine.now();
  // What waits for it must have time to start without it.
  of.deadline = of.started_at + services_.options().start_timeout / 2;
  look_at(of.deadline);
  services_.log.info(title_of(of) + " (pid " + std::to_string(of.view.pid) + ") loads " +
                     std::to_string(spec.preload.size()) + " modules");
  watch(of);
}

void Templates::watch(OfClass& of) {
  auto* process = of.process.get();
  const bool watched = process->watch(
      services_.reactor, {[this, process] { on_exit(*process); }, [this, &of] { read(of); }},
      [this] { return services_.engine.now(); });
  if (!watched) {
    fail(of,
         "cannot be watched: the kernel watches no more descriptors; raise "
         "fs.epoll.max_user_watches");
  }
}

void Templates::read(OfClass& of) {
  std::string packet(ipc::kTemplateBytesMax, '\0');
  for (int i = 0; i < kPacketsMax && of.process; ++i) {
    ipc::UniqueFd fd;
    const auto bytes = ipc::receive_with_descriptor(
        of.process->channel(), std::as_writable_bytes(std::span(packet)), MSG_DONTWAIT, fd);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0 && errno == EAGAIN) return;
    if (bytes <= 0) {
      of.process->hang_up();
      of.process->closed_at = services_.engine.now();
      return look_at(*of.process->closed_at + kExitGrace);
    }
    const auto answer =
        ipc::parse_template_answer({packet.data(), static_cast<std::size_t>(bytes)});
    if (!answer) return fail(of, "says what is none of docs/protocol.md, section 12");
    take_answer(of, *answer, std::move(fd));
  }
}

void Templates::take_answer(OfClass& of, const ipc::TemplateAnswer& answer, ipc::UniqueFd fd) {
  const bool fits = answer.kind == Kind::Unfit ||
                    (answer.kind == Kind::Ready ? of.view.state == TemplateState::Starting
                                                : is_awaited(of, answer));
  if (!fits) return fail(of, "answers what it was not asked");
  switch (answer.kind) {
    case Kind::Ready:
      return on_ready(of, answer);
    case Kind::Unfit:
      return fail(of, "cannot fork: " + safe_text(answer.text), TemplateState::Unfit);
    case Kind::Forked:
      of.making->pidfd = std::move(fd);
      return;
    case Kind::Done:
      return on_done(of);
    case Kind::Failed:
      return on_failed(of, answer);
  }
}

bool Templates::is_awaited(const OfClass& of, const ipc::TemplateAnswer& answer) const {
  if (!of.making || of.making->wanted.command.worker.value != answer.number) return false;
  const bool forked = static_cast<bool>(of.making->pidfd);
  return answer.kind == Kind::Failed || (answer.kind == Kind::Done) == forked;
}

void Templates::on_ready(OfClass& of, const ipc::TemplateAnswer& answer) {
  if (answer.number != ipc::kTemplateVersion) return fail(of, "speaks another version");
  of.view.state = TemplateState::Ready;
  of.view.start = services_.engine.now() - of.started_at;
  of.deadline = kNever;
  services_.log.info(title_of(of) + " is ready after " +
                     duration_text(milliseconds(of.view.start.ns / milliseconds(1).ns)));
  pump(of);
}

void Templates::pump(OfClass& of) {
  while (of.view.state == TemplateState::Ready && !of.making && !of.waiting.empty()) {
    auto wanted = std::move(of.waiting.front());
    of.waiting.pop_front();
    auto order = processes_.order_fork(wanted.spec);
    if (!order) {
      handlers_.ended(std::move(wanted), order.error());
      continue;
    }
    wanted.since = services_.engine.now();
    of.deadline = wanted.since + patience();
    look_at(of.deadline);
    of.making.emplace(Making{std::move(wanted), std::move(order->child)});
    if (!send(of, *order)) {
      return fail(of, std::string("takes no request: ") + strerrordesc_np(errno));
    }
  }
}

bool Templates::send(OfClass& of, const ForkOrder& order) {
  std::vector<int> fds;
  for (const auto& fd : order.descriptors) fds.push_back(fd.get());
  iovec piece{const_cast<char*>(order.packet.data()), order.packet.size()};
  return ipc::send_with_descriptors(of.process->channel(), {&piece, 1}, MSG_DONTWAIT, fds) ==
         static_cast<ssize_t>(order.packet.size());
}

void Templates::on_done(OfClass& of) {
  auto making = std::move(*of.making);
  of.making.reset();
  of.deadline = kNever;
  auto child = processes_.take_forked(std::move(making.child), std::move(making.pidfd));
  if (!child) {
    if (making.doomed) {
      handlers_.ended(std::move(making.wanted), std::nullopt);
    } else {
      of.waiting.push_front(std::move(making.wanted));
    }
    return fail(of, "is not to be trusted: " + child.error().text);
  }
  of.failures = 0;
  const auto worker = making.wanted.command.worker;
  handlers_.started(std::move(making.wanted), std::move(*child), of.view.generation);
  if (making.doomed) processes_.kill_tree(worker);
  pump(of);
}

// Another try of the template's would fail as well: no memory, no more processes.
void Templates::on_failed(OfClass& of, const ipc::TemplateAnswer& answer) {
  auto making = std::move(*of.making);
  of.making.reset();
  of.deadline = kNever;
  services_.log.warn(title_of(of) + " made no worker: " + safe_text(answer.text));
  processes_.abandon(making.wanted.command.worker);
  if (making.doomed) {
    handlers_.ended(std::move(making.wanted), std::nullopt);
  } else {
    handlers_.plain(std::move(making.wanted));
  }
  pump(of);
}

// Takes its process away, and with it what it has begun: that waits again.
void Templates::retire(OfClass& of) {
  of.view.pid = 0;
  of.deadline = kNever;
  if (of.process) {
    processes_.kill_tree(of.process->id());
    of.process->hang_up();
    ending_.push_back(std::move(of.process));
  }
  if (!of.making) return;
  auto making = std::move(*of.making);
  of.making.reset();
  processes_.abandon(making.wanted.command.worker);
  if (making.doomed) {
    handlers_.ended(std::move(making.wanted), std::nullopt);
  } else {
    of.waiting.push_front(std::move(making.wanted));
  }
}

void Templates::fail(OfClass& of, const std::string& why, TemplateState next) {
  retire(of);
  of.view.state = next;
  of.view.reason = why;
  std::string outlook = "until the next reload (SIGHUP) or restart";
  if (next == TemplateState::Resting) {
    const auto& options = services_.options();
    const auto rest = backoff(options.backoff_first, 2, ++of.failures, options.backoff_max);
    of.deadline = services_.engine.now() + rest;
    look_at(of.deadline);
    outlook = "until it is tried again in " + duration_text(rest);
  }
  services_.log.warn(title_of(of) + " " + why + "; workers start without it " + outlook);
  give_up(of);
}

void Templates::give_up(OfClass& of) {
  for (auto& wanted : std::exchange(of.waiting, {})) handlers_.plain(std::move(wanted));
}

void Templates::renew(ClassId worker_class) {
  const auto found = classes_.find(worker_class.value);
  if (found == classes_.end()) return;
  auto& of = found->second;
  if (of.view.state == TemplateState::None) return;
  retire(of);
  of.failures = 0;
  of.view.state = TemplateState::None;
  of.view.reason.clear();
  if (options_of(of).preload.empty()) return give_up(of);
  start(of);
}

void Templates::renew_all() {
  for (auto& [number, of] : classes_) renew(of.id);
}

Templates::OfClass* Templates::owner_of(const HelperProcess& process) {
  for (auto& [number, of] : classes_) {
    if (of.process.get() == &process) return &of;
  }
  return nullptr;
}

void Templates::on_exit(HelperProcess& process) {
  if (process.buried) return;
  std::string how;
  bool no_channel = false;
  process.buried = processes_.bury(process.id(), [&](const Exit& exit) {
    process.read_rest(services_.engine.now());
    how = exit_text("", exit).substr(1);
    no_channel = exit.cause == ExitCause::Exited && exit.code == kNoChannel;
  });
  if (!process.buried) {
    process.stop_watching_exit();
    return look_at(services_.engine.now() + ProcessPort::kBuryAgain);
  }
  auto* of = owner_of(process);
  if (of == nullptr) return;
  ending_.push_back(std::move(of->process));
  if (!process.launch_error().empty()) return fail(*of, process.launch_error());
  const auto& words = process.last_words();
  if (!words.empty()) how += " (" + words + ")";
  if (!no_channel || of->view.state != TemplateState::Starting) return fail(*of, how);
  fail(*of, how + ": its program makes no templates; take preload out of the class",
       TemplateState::Unfit);
}

void Templates::sweep() {
  const auto now = services_.engine.now();
  due_ = kNever;
  for (auto& [number, of] : classes_) {
    if (of.process && !of.process->watches_exit()) on_exit(*of.process);
    if (of.process && of.process->closed_at) {
      const auto at = *of.process->closed_at + kExitGrace;
      if (at <= now) {
        fail(of, "has closed its channel");
        continue;
      }
      look_at(at);
    }
    if (of.deadline > now) {
      look_at(of.deadline);
    } else if (of.view.state == TemplateState::Starting) {
      fail(of, "has not loaded its modules within " +
                   duration_text(services_.options().start_timeout / 2) +
                   " (half of start_timeout)");
    } else if (of.view.state == TemplateState::Resting) {
      start(of);
    } else if (of.making) {
      fail(of, "has not answered for " + duration_text(patience()));
    }
  }
  for (const auto& process : ending_) {
    if (!process->buried && !process->watches_exit()) on_exit(*process);
  }
}

void Templates::bury() {
  std::erase_if(ending_, [](const auto& process) { return process->buried; });
}

void Templates::note_ready(ClassId worker_class, Duration took) {
  const auto found = classes_.find(worker_class.value);
  if (found == classes_.end()) return;
  auto& view = found->second.view;
  ++view.forked;
  view.fork_time = view.fork_time + took;
  if (view.start > took) view.saved = view.saved + (view.start - took);
}

const TemplateView* Templates::find(ClassId worker_class) const {
  const auto found = classes_.find(worker_class.value);
  return found == classes_.end() ? nullptr : &found->second.view;
}

}  // namespace warmpool::daemon
