// Workers that others start: from their hello to their place, and how they lose it. They are nobody
// else's to end than the kernel allows: what cannot be killed loses its connection, and its place
// when it has let go of what it had, or has had its time.
#include <cerrno>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/refusals.hpp"
#include "daemon/workers.hpp"
#include "ipc/codec.hpp"

namespace warmpool::daemon {
namespace {

Error already_registered() {
  return refused(Refusal::AlreadyRegistered, std::string(meaning_of(Refusal::AlreadyRegistered)));
}

bool is_closed_by_peer(int fd) {
  pollfd waiting{fd, POLLRDHUP, 0};
  return fd < 0 || ::poll(&waiting, 1, 0) > 0;
}

}  // namespace

void Workers::take(FrameStream stream, const ipc::Peer& peer, const ipc::Header& header,
                   const ipc::HelloMeta& hello) {
  stream.reader().set_rules(ipc::before_hello(ipc::Party::Worker, ipc::Party::Daemon));
  if (header.id != 0 || header.token != 0) {
    return turn_away(std::move(stream), static_cast<int>(Refusal::HelloExpected),
                     "a worker that connects by itself has no id and no token yet");
  }
  auto process = process_of_peer(stream.fd());
  if (process && process->name.pid == 0) {
    process = refused(Refusal::NotAllowed,
                      "the kernel does not say which process you are: your pid namespace is not "
                      "below the daemon's");
  }
  if (!process) {
    const auto fault = process.error().code;
    const bool full = fault == EMFILE || fault == ENFILE;
    return turn_away(
        std::move(stream), static_cast<int>(full ? Refusal::ConnectionsFull : Refusal::NotAllowed),
        full ? process.error().text + "; raise LimitNOFILE of the daemon" : process.error().text);
  }
  if (auto former = end_former(process->name); !former) {
    return turn_away(std::move(stream), former.error().code, former.error().text);
  }
  if (on_process_) on_process_(process->name);
  const auto worker_class = class_for(hello);
  if (!worker_class) {
    return turn_away(std::move(stream), worker_class.error().code, worker_class.error().text);
  }
  const bool fresh = services_.options_of(*worker_class).directory == "fresh";
  if (fresh && (hello.features & ipc::feature::kDirectory) == 0) {
    return turn_away(std::move(stream), static_cast<int>(Refusal::BadArgument),
                     "class '" + std::string(hello.worker_class) +
                         "' has directory = \"fresh\"; say the feature directory, and heed it");
  }
  const RegistrationId id{++strangers_.last_asked};
  services_.log.info("process " + std::to_string(process->name.pid) + " of user " +
                     std::to_string(peer.uid) + " registers as a worker of class " +
                     std::string(hello.worker_class));
  const auto features = hello.features & stream.features() & ipc::feature::kOfStranger;
  strangers_.asked.emplace(id.value,
                           Registration{std::move(stream), std::move(*process), *worker_class,
                                        std::string(hello.name), features, header.credits});
  services_.engine.step(event::WorkerRegistered{id, *worker_class});
}

// A process that comes again has let go of all that it had: that is what its coming says. One whose
// connection is open is a worker already.
Result<void> Workers::end_former(const ProcessName& name) {
  for (const auto& [id, registration] : strangers_.asked) {
    if (registration.process.name == name) return already_registered();
  }
  for (const auto& [id, worker] : workers_) {
    if (!worker->registered || worker->buried || worker->name != name) continue;
    if (!worker->broken && !is_closed_by_peer(worker->channel.fd())) {
      return already_registered();
    }
    leave(*worker, ExitCause::ChannelClosed);
  }
  return {};
}

void Workers::carry(const command::Admit& command) {
  const auto found = strangers_.asked.find(command.registration.value);
  REQUIRE(found != strangers_.asked.end());
  auto registration = std::move(found->second);
  strangers_.asked.erase(found);
  places_.make(command.home, command.worker_class);
  const auto name = registration.process.name;
  auto notice = processes_.adopt({command.worker, name.pid, std::move(registration.process.pidfd)});
  if (!notice) {
    turn_away(std::move(registration.stream), static_cast<int>(Refusal::ConnectionsFull),
              notice.error().text + "; it is tried again, or raise LimitNOFILE of the daemon");
    services_.engine.step(event::WorkerExited{command.worker, ExitCause::ChannelClosed, 0});
    return;
  }
  Child child;
  child.worker = command.worker;
  child.pid = name.pid;
  child.exit_notice = std::move(*notice);
  auto made = std::make_unique<WorkerProcess>(
      std::move(child), command, std::move(registration.stream), services_.engine.now());
  auto& worker = *workers_.emplace(command.worker.value, std::move(made)).first->second;
  worker.name = name;
  worker.fresh_directories = services_.options_of(command.worker_class).directory == "fresh";
  watch(worker);
  if (worker.buried) return;
  begin(worker, registration.features, registration.credits);
  take_frames(worker);  // what it sent right behind its hello
}

void Workers::carry(const command::TurnAway& command) {
  const auto found = strangers_.asked.find(command.registration.value);
  REQUIRE(found != strangers_.asked.end());
  auto stream = std::move(found->second.stream);
  strangers_.asked.erase(found);
  turn_away(std::move(stream), static_cast<int>(command.code), meaning_of(command.code));
}

// One frame always fits into the buffer of a connection on which nothing was written yet.
void Workers::turn_away(FrameStream stream, int code, std::string_view text) {
  services_.log.info("a worker that wants to register is turned away: " + std::string(text));
  const ipc::ErrorMeta meta{static_cast<std::uint16_t>(code), ipc::cut_text(text, 1024)};
  meta_.clear();
  ipc::encode(meta, meta_);
  stream.out().append({.kind = ipc::Kind::Error}, ipc::bytes_of(meta_), ipc::Bytes{});
  stream.flush();
}

// Before it is sent. Only what a store keeps can be started again by a later life. One that cannot
// be written down is sent all the same: what is at stake is the end of the daemon while it runs.
void Workers::remember(WorkerProcess& worker, InHand& held) {
  if (strangers_.attempts == nullptr) return;
  auto place = strangers_.attempts->add(held.key.task, worker.name);
  if (place) {
    held.place = *place;
    return strangers_.attempt_trouble.clear();
  }
  if (strangers_.attempt_trouble.empty()) {
    services_.log.error(
        "after an end of the daemon, tasks may run twice that are with workers "
        "started by others: " +
        place.error().text);
  }
  strangers_.attempt_trouble = place.error().text;
}

void Workers::forget(InHand& held) {
  if (held.place) strangers_.attempts->erase(*held.place);
  held.place.reset();
  directories_.release(held);
}

void Workers::on_leave(WorkerProcess& worker, const ipc::Frame&) {
  services_.log.info(places_.slot_name(worker.slot) + " leaves");
  services_.engine.step(event::WorkerLeaving{worker.id});
}

// Its process is left as it is. What it sent before is still taken.
void Workers::leave(WorkerProcess& worker, ExitCause cause) {
  if (worker.channel.fd() >= 0) worker.channel.flush();  // why it is sent away, if it is
  drain(worker);
  processes_.disown(worker.id);
  worker.buried = true;
  buried_.push_back(worker.id);
  tell_exit(worker, Exit{.cause = cause});
  if (stopping_) return;  // it may still be at it: the next life waits for it
  for (auto& held : worker.in_hand) forget(held);
}

// Core: it has no place any more, and has been told so.
void Workers::carry(const command::Disown& command) {
  const auto found = workers_.find(command.worker.value);
  if (found == workers_.end() || found->second->buried) return;
  auto& worker = *found->second;
  services_.log.warn(places_.slot_name(worker.slot) + " (pid " + std::to_string(worker.child.pid) +
                     ") could not be ended and has no place any more");
  for (auto& held : worker.in_hand) {
    if (!stopping_) forget(held);  // it goes on elsewhere in this life
  }
  worker.exit_watch.reset();
  worker.channel_watch.reset();
  worker.channel.close();
  processes_.disown(worker.id);
  worker.buried = true;
  buried_.push_back(worker.id);
}

// False: it is ended by signals, as those that were spawned.
bool Workers::end_stranger(WorkerProcess& worker, const command::EndWorker& command) {
  const bool kill = command.force == command::Force::Kill;
  if (kill && command.cause == ExitCause::Shutdown) {
    leave(worker, ExitCause::ChannelClosed);
    return true;
  }
  if (services_.options().registered_kill) {
    const auto sent = processes_.signal(worker.id, kill ? SIGKILL : SIGTERM);
    services_.log.info(places_.slot_name(worker.slot) + " (pid " +
                       std::to_string(worker.child.pid) + ") gets " +
                       (kill ? "SIGKILL: " : "SIGTERM: ") + std::string(name_of(command.cause)));
    if (sent || !kill) return true;
    services_.log.warn(places_.slot_name(worker.slot) + ": " + sent.error().text);
  }
  if (!kill) return true;
  if (worker.in_hand.empty()) {
    leave(worker, ExitCause::ChannelClosed);
    return true;
  }
  // Nothing of it is taken any more. It has its place until it has ended, comes again, or has had
  // unkillable_after.
  if (worker.channel.fd() >= 0) worker.channel.flush();
  for (auto& held : worker.in_hand) keep_checkpoint(worker, held);
  worker.broken = true;
  worker.channel_watch.reset();
  worker.channel.close();
  return true;
}

}  // namespace warmpool::daemon
