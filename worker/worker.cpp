// Puts the parts together for one run and takes them apart again.
#include "worker/worker.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <sys/timerfd.h>
#include <system_error>

#include "worker/broken_pipe.hpp"
#include "worker/loop.hpp"
#include "worker/own_environment.hpp"
#include "worker/watcher.hpp"

namespace warmpool::worker {
namespace {

int end_with(RunStatus status, const std::string& why) {
  if (!why.empty()) std::fprintf(stderr, "warmpool worker: %s\n", why.c_str());
  return static_cast<int>(status);
}

void hide_channel() {
  for (const char* name : kOwnEnvironment) ::unsetenv(name);
}

ipc::Channel channel_of(const Settings& settings) {
  const auto rules = ipc::before_hello(ipc::Party::Daemon, ipc::Party::Worker);
  ipc::UniqueFd channel(settings.channel);
  if (settings.channel_out < 0) return {std::move(channel), rules};
  return {std::move(channel), ipc::UniqueFd(settings.channel_out), rules};
}

int say_end(RunStatus status, const Session& session) {
  if (status == RunStatus::Protocol) return end_with(status, session.why());
  if (status == RunStatus::DaemonGone) {
    return end_with(status, "the daemon closed the channel without retiring this worker");
  }
  return end_with(status, "");
}

int serve(const Settings& settings, const Handlers& handlers, EventFd wake, EventFd cancelled,
          EventFd terminated, ipc::UniqueFd timer) {
  CancelSignal cancel(std::move(cancelled));
  const Termination termination(std::move(terminated));
  std::optional<BrokenPipe> broken_pipe;
  if (settings.channel_out >= 0) broken_pipe.emplace();
  Session session(settings, handlers, channel_of(settings), cancel);
  if (!session.greet(settings)) {
    return say_end(
        session.end() == Session::End::Broken ? RunStatus::Protocol : RunStatus::DaemonGone,
        session);
  }
  if (!session.page_fault().empty()) {
    std::fprintf(stderr, "warmpool worker: beats by frames: %s\n", session.page_fault().c_str());
  }
  Baton baton(std::move(wake), std::move(timer), settings.watch_after);
  const Watcher watcher(baton, session, cancel, termination);
  return say_end(Loop(session, baton, cancel, termination).run(), session);
}

}  // namespace

Worker& Worker::handle(std::string_view type, Handler handler) {
  handlers_.insert_or_assign(std::string(type), std::move(handler));
  return *this;
}

Result<void> Worker::keep_only(const std::vector<std::string>& types) {
  Handlers kept;
  for (const std::string& type : types) {
    const auto found = handlers_.find(type);
    if (found == handlers_.end()) {
      std::string known;
      for (const auto& [name, handler] : handlers_) known += (known.empty() ? "" : ", ") + name;
      return Error{0, "no task type " + type + " here; there are: " + known};
    }
    kept.insert(*found);
  }
  handlers_ = std::move(kept);
  return {};
}

std::vector<std::string> Worker::types() const {
  std::vector<std::string> names;
  for (const auto& [name, handler] : handlers_) names.push_back(name);
  return names;
}

void Worker::set_credits(unsigned credits) {
  REQUIRE(credits >= 1 && credits <= kCreditsMax);
  credits_ = credits;
}

int Worker::run() {
  auto settings = Settings::from_environment();
  if (!settings) return end_with(RunStatus::NoChannel, settings.error().text);
  hide_channel();
  settings->name = name_;
  if (credits_ != 0) settings->credits = credits_;
  // So that the daemon sees a line when it is written, and with the task that wrote it.
  ::setlinebuf(stdout);
  return run(std::move(*settings));
}

int Worker::run(Settings settings) {
  REQUIRE(settings.credits >= 1 && settings.credits <= kCreditsMax);
  auto wake = EventFd::make();
  auto cancelled = EventFd::make();
  auto terminated = EventFd::make();
  ipc::UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!wake || !cancelled || !terminated || !timer) {
    return end_with(RunStatus::System, std::string("cannot make an event descriptor: ") +
                                           std::strerror(errno) +
                                           "; raise the limit of open files (ulimit -n)");
  }
  try {
    return serve(settings, handlers_, std::move(*wake), std::move(*cancelled),
                 std::move(*terminated), std::move(timer));
  } catch (const std::system_error& error) {
    return end_with(RunStatus::System, std::string("cannot start the watcher thread: ") +
                                           error.what() + "; raise the limit of processes");
  }
}

}  // namespace warmpool::worker
