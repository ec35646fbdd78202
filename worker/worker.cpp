// Puts the parts together for one run and takes them apart again.
#include "worker/worker.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <poll.h>
#include <sys/timerfd.h>
#include <system_error>

#include "ipc/client_address.hpp"
#include "worker/broken_pipe.hpp"
#include "worker/loop.hpp"
#include "worker/own_environment.hpp"
#include "worker/template.hpp"
#include "worker/watcher.hpp"

namespace warmpool::worker {
namespace {

// Between two attempts to join a daemon that has ended.
constexpr std::chrono::milliseconds kJoinWaitFirst{100}, kJoinWaitMax{5'000};

// Of a hello (docs/protocol.md, sections 1 and 5).
constexpr std::size_t kTypesMax = 64, kTypesBytesMax = 3000, kClassBytesMax = 64;

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

// What one connection needs of the kernel.
struct Descriptors {
  EventFd wake, cancelled;
  ipc::UniqueFd timer;

  static Result<Descriptors> make() {
    auto wake = EventFd::make();
    auto cancelled = EventFd::make();
    ipc::UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    if (!wake || !cancelled || !timer) {
      return Error{errno, std::string("cannot make an event descriptor: ") + std::strerror(errno) +
                              "; raise the limit of open files (ulimit -n)"};
    }
    return Descriptors{std::move(*wake), std::move(*cancelled), std::move(timer)};
  }
};

struct Served {
  RunStatus status;
  bool again = false;  // the daemon ended, or will take it later
  std::string why;
};

using Hooks = std::vector<std::function<void()>>;

// `hooks` are called when the daemon has welcomed this worker: it has put it where it belongs by
// then (its cgroup), so that what they start is this worker's, and its limits hold for it.
// Errors: the second thread cannot be started.
Result<Served> serve(const Settings& settings, const Handlers& handlers, const Hooks& hooks,
                     Descriptors descriptors, const Termination& termination) {
  CancelSignal cancel(std::move(descriptors.cancelled));
  std::optional<BrokenPipe> broken_pipe;
  if (settings.channel_out >= 0) broken_pipe.emplace();
  Session session(settings, handlers, channel_of(settings), cancel);
  RunStatus status = RunStatus::DaemonGone;
  if (session.greet(settings)) {
    if (!session.page_fault().empty()) {
      std::fprintf(stderr, "warmpool worker: beats by frames: %s\n", session.page_fault().c_str());
    }
    for (const auto& hook : hooks) hook();
    Baton baton(std::move(descriptors.wake), std::move(descriptors.timer), settings.watch_after);
    HeldReport held;
    std::optional<Watcher> watcher;
    try {
      watcher.emplace(baton, session, cancel, held, termination);
    } catch (const std::system_error& error) {
      return Error{0, std::string("cannot start the watcher thread: ") + error.what() +
                          "; raise the limit of processes"};
    }
    status = Loop(session, baton, cancel, held, termination, settings.spin).run();
  } else if (session.end() == Session::End::Broken) {
    status = RunStatus::Protocol;
  }
  return Served{status, session.may_come_again(), session.why()};
}

int say_end(const Served& served) {
  if (served.status == RunStatus::Protocol) return end_with(served.status, served.why);
  if (served.status == RunStatus::DaemonGone) {
    return end_with(served.status, "the daemon closed the channel without retiring this worker");
  }
  return end_with(served.status, "");
}

Result<Served> serve_once(const Settings& settings, const Handlers& handlers, const Hooks& hooks,
                          const Termination& termination) {
  auto descriptors = Descriptors::make();
  if (!descriptors) return descriptors.error();
  return serve(settings, handlers, hooks, std::move(*descriptors), termination);
}

// What a person reads who wonders why it does not serve: each new reason once, however often it is
// met while it tries again.
class Reasons {
 public:
  void say(const std::string& text) {
    if (text != last_) std::fprintf(stderr, "warmpool worker: %s\n", text.c_str());
    last_ = text;
  }
  void say(const Served& served) {
    if (served.status == RunStatus::Protocol) return say(served.why + "; trying again");
    last_.clear();
    say("the daemon has ended; waiting for the next");
  }

 private:
  std::string last_;
};

// True: SIGTERM came first.
bool waits_in_vain(const Termination& termination, std::chrono::milliseconds time) {
  pollfd waiting{termination.fd(), POLLIN, 0};
  const auto end = std::chrono::steady_clock::now() + time;
  while (!termination.requested()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    ::poll(&waiting, 1, static_cast<int>(left.count()));
  }
  return true;
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

Worker& Worker::prints_nothing() {
  offered_ = kCreditsMax;
  return *this;
}

Worker& Worker::on_fork(std::function<void()> hook) {
  on_fork_.push_back(std::move(hook));
  return *this;
}

int Worker::run() {
  const bool forked = is_template();
  if (forked) {
    if (const auto ended = run_template()) return *ended;
  }
  auto settings = Settings::from_environment();
  if (!settings) return end_with(RunStatus::NoChannel, settings.error().text);
  hide_channel();
  settings->name = name_;
  if (credits_ != 0) settings->credits = credits_;
  // So that the daemon sees a line when it is written, and with the task that wrote it.
  ::setlinebuf(stdout);
  return serve_alone(std::move(*settings), forked ? on_fork_ : Hooks());
}

int Worker::run(Settings settings) { return serve_alone(std::move(settings), {}); }

int Worker::serve_alone(Settings settings, const Hooks& hooks) {
  if (settings.credits == 0) settings.credits = offered_;
  REQUIRE(settings.credits <= kCreditsMax);
  auto terminated = EventFd::make();
  if (!terminated) return end_with(RunStatus::System, terminated.error().text);
  const Termination termination(std::move(*terminated));
  const auto served = serve_once(settings, handlers_, hooks, termination);
  return served ? say_end(*served) : end_with(RunStatus::System, served.error().text);
}

int Worker::join(const Joining& joining) {
  auto terminated = EventFd::make();
  if (!terminated) return end_with(RunStatus::System, terminated.error().text);
  const Termination termination(std::move(*terminated));
  std::size_t bytes = 0;
  for (const auto& [type, handler] : handlers_) bytes += type.size() + 2;
  if (handlers_.size() > kTypesMax || bytes > kTypesBytesMax || joining.worker_class.empty() ||
      joining.worker_class.size() > kClassBytesMax) {
    return end_with(
        RunStatus::NoChannel,
        "a worker that joins says at most 64 types, of 3000 bytes together, and a class "
        "of 1 to 64 bytes; use patterns, as image.*");
  }
  const auto address = ipc::socket_address(joining.socket, ipc::Surroundings::of_process());
  const auto spin = Settings::spin_from_environment();
  if (!spin) return end_with(RunStatus::NoChannel, spin.error().text);
  Settings settings;
  settings.spin = *spin;
  settings.name = name_;
  settings.worker_class = joining.worker_class;
  settings.types = types();
  settings.credits = credits_ != 0 ? credits_ : offered_;
  ::setlinebuf(stdout);
  auto wait = kJoinWaitFirst;
  Reasons reasons;
  for (bool first = true;; first = false) {
    auto socket = ipc::connect_to(address, std::chrono::steady_clock::now() + kJoinWaitMax);
    if (!socket && (first || !joining.reconnect)) {
      return end_with(RunStatus::DaemonGone, socket.error().text);
    }
    if (socket) {
      settings.channel = socket->release();
      const auto begun = std::chrono::steady_clock::now();
      const auto served = serve_once(settings, handlers_, {}, termination);
      if (!served) return end_with(RunStatus::System, served.error().text);
      if (!served->again || !joining.reconnect || termination.requested()) return say_end(*served);
      reasons.say(*served);
      // One that served for a while starts from the beginning.
      if (std::chrono::steady_clock::now() - begun > kJoinWaitMax) wait = kJoinWaitFirst;
    } else {
      reasons.say(socket.error().text);
    }
    if (waits_in_vain(termination, wait)) return static_cast<int>(RunStatus::Retired);
    wait = std::min(2 * wait, kJoinWaitMax);
  }
}

}  // namespace warmpool::worker
