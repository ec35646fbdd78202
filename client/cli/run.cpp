// A command as a task. Its output comes with its end: the daemon keeps the tail of what workers
// write while they run (warmpool worker SLOT).
#include <memory>

#include <nlohmann/json.hpp>

#include "client/cli/command.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/format.hpp"
#include "client/cli/input.hpp"
#include "client/cli/interrupts.hpp"
#include "client/cli/settled_text.hpp"
#include "client/cli/task_options.hpp"

namespace warmpool::cli {

namespace {

using nlohmann::json;

constexpr int kSignalBase = 128;

struct RunCommand {
  TaskOptions task;
  std::string type = "exec", directory;
  std::vector<std::string> command, environment, ok_status;
  bool no_stdin = false;

  Result<std::string> payload(Context& context, std::uint64_t bytes_max) const {
    JsonObject object;
    std::string argv;
    for (const auto& word : command) {
      if (!ipc::is_utf8(word)) return Error{0, "an argument is not UTF-8, which exec cannot take"};
      argv += (argv.empty() ? "" : ",") + json_string(word);
    }
    object.raw("argv", "[" + argv + "]");
    if (!directory.empty()) object.text("cwd", directory);
    if (!environment.empty()) object.raw("env", environment_json());
    if (!no_stdin && ::isatty(context.in()) == 0) {
      auto input = read_all(context.in(), "standard input", bytes_max);
      if (!input) return input.error();
      if (!input->empty()) object.text("stdin", *input);
    }
    return object.str();
  }

  std::string environment_json() const {
    JsonObject object;
    for (const auto& one : environment) {
      const std::size_t equals = one.find('=');
      if (equals == one.npos) {
        object.raw(one, "null");
      } else {
        object.text(one.substr(0, equals), one.substr(equals + 1));
      }
    }
    return object.str();
  }

  int run(Context& context) {
    Interrupts interrupts;
    auto client = context.connect();
    if (!client) return context.fail(client.error());
    auto bytes = payload(context, client->daemon().payload_bytes_max);
    if (!bytes) return context.fail(kFailed, bytes.error().text);
    if (!task.retries) task.retries = 0;
    auto options = task.submit_options(type, std::move(*bytes));
    options.content = Content::Json;
    options.auto_key = true;
    options.wait = true;
    options.cancel_on_disconnect = true;
    client->submit(std::move(options));
    return follow(context, *client, interrupts);
  }

  int follow(Context& context, client::Client& client, Interrupts& interrupts) const {
    TaskId task_id;
    while (true) {
      pollfd also[] = {{interrupts.fd(), POLLIN, 0}};
      auto event = client.wait_any(ipc::kNoDeadline, also);
      if (!event) return context.fail(event.error());
      if (interrupts.take()) {
        if (interrupts.count() > 1 || !task_id) return kInterrupted;
        context.say("warmpool: cancelling; press Ctrl-C again to leave at once");
        client.cancel_later(task_id);
      }
      if (!*event) continue;
      if (const auto* accepted = std::get_if<client::Accepted>(&**event)) task_id = accepted->task;
      if (const auto* refused = std::get_if<client::Refused>(&**event)) {
        // A cancel that came too late: the result is on its way.
        if (refused->code == static_cast<int>(Refusal::AlreadySettled)) continue;
        return context.fail({refused->code, refused->text});
      }
      if (const auto* unknown = std::get_if<client::Unknown>(&**event)) {
        return context.fail(kUnreachable,
                            "what became of the command is not known: " + unknown->text);
      }
      if (const auto* settled = std::get_if<client::Settled>(&**event)) {
        const int status = finish(context, *settled);
        return interrupts.count() > 0 ? kInterrupted : status;
      }
    }
  }

  // A failed run's error is a line for people, and then the same document as a result.
  int finish(Context& context, const client::Settled& settled) const {
    std::string_view text = settled.text();
    if (settled.verdict != Verdict::Done) {
      const std::size_t end = text.find('\n');
      text = end == text.npos ? std::string_view() : text.substr(end + 1);
    }
    const json ending = json::parse(text, nullptr, false);
    const bool known = ending.is_object() && ending.contains("stdout");
    const int status = status_of(settled, known ? ending : json::object());
    if (context.json()) {
      JsonObject object;
      object.number("schema", kSchema);
      object.number("id", settled.task.value).text("verdict", name_of(settled.verdict));
      object.text("cause", name_of(settled.cause))
          .number("exit_status", static_cast<std::uint64_t>(status));
      object.raw(known ? "result" : "error",
                 known ? std::string(text) : json_string(settled.text()));
      context.print(object.str());
      return status;
    }
    if (known) {
      context.out().write(stream_of(ending, "stdout"));
      context.out().flush();
      context.err().write(stream_of(ending, "stderr"));
      if (ending.value("stdout_truncated", false)) context.say("warmpool: standard output was cut");
      if (ending.value("stderr_truncated", false)) context.say("warmpool: standard error was cut");
    }
    const bool ran = known && ending.value("started", true);
    if (!ran || settled.cause != EndCause::Failed) report(context, settled);
    return status;
  }

  // The status says enough of a command that ended by itself.
  static void report(Context& context, const client::Settled& settled) {
    if (settled.verdict == Verdict::Done) return;
    context.fail(kFailed, settled_line(settled));
  }

  static std::string stream_of(const json& ending, const char* name) {
    const auto& stream = ending.at(name);
    if (stream.is_string()) return stream.get<std::string>();
    if (!stream.is_object() || !stream.contains("base64")) return "";
    return from_base64(stream["base64"].get<std::string>()).value_or("");
  }

  static int status_of(const client::Settled& settled, const json& ending) {
    const bool out_of_time = settled.cause == EndCause::Timeout ||
                             settled.cause == EndCause::Deadline ||
                             settled.verdict == Verdict::Expired;
    if (settled.verdict != Verdict::Done && out_of_time) return kTimedOut;
    if (ending.contains("signal") && ending["signal"].is_number_integer()) {
      return kSignalBase + ending["signal"].get<int>();
    }
    if (ending.contains("status") && ending["status"].is_number_integer()) {
      return ending["status"].get<int>();
    }
    const bool killed = settled.cause == EndCause::Crashed || settled.cause == EndCause::Memory ||
                        settled.cause == EndCause::Hung;
    if (killed) return kKilled;
    return settled.verdict == Verdict::Done ? kOk : kFailed;
  }
};

}  // namespace

Run declare_run(CLI::App& app) {
  auto command = std::make_shared<RunCommand>();
  add_arguments(app, "command", command->command, "the program and its arguments, after \"--\"")
      .required();
  command->task.declare(app);
  add_text(app, "--type", command->type, "TYPE", "the task type that runs commands [exec]");
  add_text(app, "--cwd", command->directory, "DIR", "working directory; else the worker's");
  add_texts(app, "--env", command->environment, "NAME=VALUE",
            "set NAME, or take it away without a value; may be given again");
  add_flag(app, "-n,--no-stdin", command->no_stdin, "pass no standard input");
  return [command](Context& context) { return command->run(context); };
}

}  // namespace warmpool::cli
