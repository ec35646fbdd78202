// drain and stop: they return when what was asked for has happened, so that a script needs no loop.
#include <fstream>
#include <memory>
#include <sys/syscall.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "client/cli/command.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/interrupts.hpp"
#include "client/cli/json_text.hpp"
#include "client/cli/requests.hpp"

namespace warmpool::cli {

namespace {

using nlohmann::json;
using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLookInterval{100};

// A number of a drain's or a stop's document; 0 if it says nothing.
std::uint64_t number_in(const std::string& document, const char* name) {
  const json parsed = json::parse(document, nullptr, false);
  if (!parsed.is_object() || !parsed.contains(name)) return 0;
  const auto& number = parsed[name];
  return number.is_number_unsigned() ? number.get<std::uint64_t>() : 0;
}

std::uint64_t left_of(const std::string& document) { return number_in(document, "left"); }

// Of what is left, what cannot be started before breakers let it.
std::string behind_text(const std::string& document) {
  const std::uint64_t behind = number_in(document, "behind_breakers");
  if (behind == 0) return "";
  return ", behind circuit breakers: " + std::to_string(behind) + " (see: warmpool breaker ls)";
}

std::string left_text(std::uint64_t left) {
  return std::to_string(left) + (left == 1 ? " task is left" : " tasks are left");
}

client::Deadline until(const std::optional<Duration>& timeout) {
  return timeout ? client::in(std::chrono::nanoseconds(timeout->ns)) : ipc::kNoDeadline;
}

// Waits for an interrupt until `time`, or until `also` can be read. True if one came.
bool interrupted_until(Interrupts& interrupts, client::Deadline time, int also = -1) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(time - steady_clock::now());
  pollfd polled[] = {{interrupts.fd(), POLLIN, 0}, {also, POLLIN, 0}};
  ::poll(polled, 2, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
  return interrupts.take();
}

bool is_readable(int fd) {
  pollfd polled{fd, POLLIN, 0};
  return ::poll(&polled, 1, 0) > 0;
}

struct DrainCommand {
  bool undo = false;
  std::optional<Duration> timeout;

  int run(Context& context) const {
    Interrupts interrupts;
    auto client = context.connect();
    if (!client) return context.fail(client.error());
    const auto deadline = until(timeout);
    const ipc::RequestMeta meta{.verb = ipc::Verb::Drain, .arguments = {!undo}};
    std::uint64_t said = 0;
    while (true) {
      // Asking again changes nothing and tells what is left.
      auto document = client->request(meta, reply_deadline());
      if (!document) return context.fail(document.error());
      const std::uint64_t left = left_of(*document);
      if (undo || left == 0) return print_document(context, *document, {});
      if (left != said) context.say(left_text(left) + behind_text(*document));
      said = left;
      const auto now = steady_clock::now();
      if (now >= deadline) {
        return context.fail(kTimedOut, left_text(left) + behind_text(*document) +
                                           ", and nothing new is taken; undo with: "
                                           "warmpool drain --undo");
      }
      if (interrupted_until(interrupts, std::min(deadline, now + kLookInterval))) {
        context.say("nothing new is taken; undo with: warmpool drain --undo");
        return kInterrupted;
      }
    }
  }
};

struct StopCommand {
  bool now = false;
  std::optional<Duration> timeout;

  int run(Context& context) const {
    Interrupts interrupts;
    client::ConnectOptions options;
    options.reconnect.enabled = false;  // its end is what is waited for
    auto client = context.connect(options);
    if (!client) return context.fail(client.error());
    const auto deadline = until(timeout);
    const auto process = process_of(*client);
    auto document = client->stop(now, reply_deadline());
    // A daemon with nothing to do can be gone before its answer is read.
    const bool lost = !document && document.error().code < 100;
    if (!document && !lost) return context.fail(document.error());
    if (const std::uint64_t left = lost ? 0 : left_of(*document); left > 0) {
      context.say(left_text(left));
    }
    int status = wait_until_gone(context, *client, interrupts, deadline);
    if (status == kOk && process) status = wait_for(process, context, interrupts, deadline);
    if (status != kOk || lost) return status;
    return context.json() ? print_document(context, *document, {}) : kOk;
  }

  // Of the daemon, where it can be told; after its connections have ended it closes its store.
  static ipc::UniqueFd process_of(client::Client& client) {
    const auto text = client.status(reply_deadline());
    const json status = text ? json::parse(*text, nullptr, false) : json();
    if (!status.is_object() || !status.contains("pid")) return {};
    const auto pid = status["pid"].is_number_integer() ? status["pid"].get<pid_t>() : 0;
    // The number may be that of another process namespace.
    std::string name;
    std::ifstream("/proc/" + std::to_string(pid) + "/comm") >> name;
    if (!name.starts_with("warmpoold")) return {};
    return ipc::UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  }

  static int wait_for(const ipc::UniqueFd& process, Context& context, Interrupts& interrupts,
                      client::Deadline deadline) {
    while (!is_readable(process.get())) {
      const auto next = std::min(deadline, client::in(kLookInterval));
      if (interrupted_until(interrupts, next, process.get())) return kInterrupted;
      if (steady_clock::now() >= deadline) {
        return context.fail(kTimedOut, "the daemon serves nobody any more, and has not ended yet");
      }
    }
    return kOk;
  }

  static int wait_until_gone(Context& context, client::Client& client, Interrupts& interrupts,
                             client::Deadline deadline) {
    while (true) {
      // An open connection ends with the daemon, and with it this wait.
      pollfd also[] = {{interrupts.fd(), POLLIN, 0}};
      const auto next = client.wait_any(std::min(deadline, client::in(kLookInterval)), also);
      const bool gone = !next && ::access(client.socket_path().c_str(), F_OK) != 0;
      if (gone) return kOk;
      if (!next && !connectable(context)) return kOk;
      if (interrupts.take()) return kInterrupted;
      if (steady_clock::now() >= deadline) {
        return context.fail(kTimedOut,
                            "the daemon has not stopped in time; at once: warmpool stop --now");
      }
      if (!next && interrupted_until(interrupts, client::in(kLookInterval))) return kInterrupted;
    }
  }

  static bool connectable(Context& context) {
    client::ConnectOptions options;
    options.reconnect.enabled = false;
    return static_cast<bool>(context.connect(options));
  }
};

}  // namespace

Run declare_drain(CLI::App& app) {
  auto command = std::make_shared<DrainCommand>();
  add_flag(app, "--undo", command->undo, "take new tasks again");
  add_time(app, "--timeout", command->timeout, "how long to wait; else without end");
  return [command](Context& context) { return command->run(context); };
}

Run declare_stop(CLI::App& app) {
  auto command = std::make_shared<StopCommand>();
  add_flag(app, "--now", command->now, "end running tasks; they are interrupted, not failed");
  add_time(app, "--timeout", command->timeout, "how long to wait; else without end");
  return [command](Context& context) { return command->run(context); };
}

}  // namespace warmpool::cli
