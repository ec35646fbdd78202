#include <memory>

#include "client/cli/command.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/input.hpp"
#include "client/cli/progress.hpp"
#include "client/cli/settled_text.hpp"
#include "client/cli/task_options.hpp"

namespace warmpool::cli {

namespace {

struct SubmitCommand {
  TaskOptions task;
  std::string type, payload, file, key, progress = "auto";
  std::optional<Duration> delay;
  std::optional<WallTime> run_at;
  bool wait = false, print_id = false, keep = false, cancel_on_disconnect = false;
  bool partials = false;

  Result<Payload> read(Context& context, const client::Client::Daemon& daemon) const {
    const auto most = daemon.payload_bytes_max, large_most = daemon.large_bytes_max;
    if (!file.empty()) {
      auto fd = open_to_read(file);
      if (!fd) return fd.error();
      return read_payload(fd->get(), file, most, large_most);
    }
    if (payload == "-") return read_payload(context.in(), "standard input", most, large_most);
    return Payload{payload};
  }

  client::SubmitOptions options(Payload read, bool tell_progress) const {
    auto made = task.submit_options(type, std::move(read.bytes));
    made.large = std::move(read.large);
    made.large_bytes = read.large_bytes;
    if (made.large && task.content.empty()) made.content = Content::Bytes;  // nobody looked
    made.delay = delay;
    made.run_at = run_at;
    if (!key.empty()) made.key = key;
    // So that a connection that breaks in between does not make two tasks of it.
    made.auto_key = true;
    made.wait = wait;
    made.progress = wait && (tell_progress || partials);
    made.keep_result = keep;
    made.cancel_on_disconnect = cancel_on_disconnect;
    return made;
  }

  // Beside the id, never on standard output: scripts read that. Who gets less than was asked for
  // is told in any case.
  void say_durability(Context& context, Durability durability) const {
    const bool less = durability > find_word<Durability>(task.durability);
    if (context.json() || (!less && !context.err().is_terminal())) return;
    const auto meaning = Words<Durability>::rows[static_cast<std::size_t>(durability)].meaning;
    context.say("durability: " + std::string(name_of(durability)) + ", " + std::string(meaning) +
                (less ? "; asked for was " + task.durability : ""));
  }

  void print_accepted(Context& context, const client::Accepted& accepted) const {
    if (!wait) say_durability(context, accepted.durability);
    if (wait && (!print_id || context.json())) return;
    const std::string id = std::to_string(accepted.task.value);
    if (context.json() && !print_id) {
      context.print(JsonObject()
                        .number("schema", kSchema)
                        .number("id", accepted.task.value)
                        .flag("duplicate", accepted.duplicate)
                        .text("durability", name_of(accepted.durability))
                        .str());
    } else if (print_id) {
      context.print(id);
    } else {
      context.print("accepted " + id +
                    (accepted.duplicate ? " (an earlier task has this key)" : ""));
    }
    context.out().flush();
  }

  // Documents are data; as text it is talk beside the result, which scripts read.
  void print_partial(Context& context, const client::Progressed& progressed,
                     TaskProgressLine& line) const {
    if (progressed.partial.empty()) return;
    line.clear();
    if (!context.json()) {
      context.err().write(plain_line(progressed.partial) + "\n");
      return context.err().flush();
    }
    context.print(JsonObject()
                      .number("schema", kSchema)
                      .number("id", progressed.task.value)
                      .number("permille", progressed.permille)
                      .text("text", progressed.text)
                      .raw("partial", json_payload(progressed.content, progressed.partial))
                      .str());
    context.out().flush();
  }

  int print_settled(Context& context, const client::Settled& settled) const {
    if (context.json()) {
      JsonObject object;
      object.number("schema", kSchema);
      add_settled(object, settled);
      context.print(object.str());
    } else if (settled.verdict == Verdict::Done) {
      context.out().write(settled.text());
      if (context.out().is_terminal() && !settled.text().ends_with('\n')) context.out().write("\n");
    } else {
      context.fail(kFailed, settled_line(settled));
    }
    return exit_status_of(settled);
  }

  int follow(Context& context, client::Client& client, TaskProgressLine& line) const {
    while (true) {
      auto event = client.wait_any(wait ? ipc::kNoDeadline : reply_deadline());
      if (!event) return context.fail(event.error());
      if (!*event)
        return context.fail(kTimedOut, "the daemon did not answer; see: warmpool status");
      if (const auto* refused = std::get_if<client::Refused>(&**event)) {
        return context.fail({refused->code, refused->text});
      }
      if (const auto* unknown = std::get_if<client::Unknown>(&**event)) {
        return context.fail(kUnreachable,
                            "whether the task was accepted is not known: " + unknown->text);
      }
      if (const auto* accepted = std::get_if<client::Accepted>(&**event)) {
        print_accepted(context, *accepted);
        if (!wait) return kOk;
      }
      if (const auto* progressed = std::get_if<client::Progressed>(&**event)) {
        if (partials) print_partial(context, *progressed, line);
        line.draw(progressed->permille, progressed->text, progressed->partial);
      }
      if (const auto* settled = std::get_if<client::Settled>(&**event)) {
        line.clear();
        return print_settled(context, *settled);
      }
    }
  }

  int run(Context& context) const {
    auto client = context.connect();
    if (!client) return context.fail(client.error());
    auto bytes = read(context, client->daemon());
    if (!bytes) return context.fail(kFailed, bytes.error().text);
    TaskProgressLine line(context.err(), context.globals().quiet ? "never" : progress);
    client->submit(options(std::move(*bytes), line.shown()));
    return follow(context, *client, line);
  }
};

}  // namespace

Run declare_submit(CLI::App& app) {
  auto command = std::make_shared<SubmitCommand>();
  add_argument(app, "type", command->type, "the task type, see: warmpool types").required();
  const auto payload =
      add_payload(app, "payload", command->payload, "text, or '-': standard input");
  add_text(app, "--payload-file", command->file, "FILE", "the payload is what this file holds")
      .excludes(payload);
  command->task.declare(app);
  const auto delay =
      add_time(app, "--delay", command->delay, "how long to wait before the first run");
  add_wall(app, "--run-at", command->run_at, "when to run first: 2026-11-23T07:00:00Z")
      .excludes(delay);
  add_text(app, "--key", command->key, "TEXT", "the same key is the same task");
  add_flag(app, "--wait", command->wait, "wait, print the result");
  add_text(app, "--progress", command->progress, "WHEN",
           "with --wait, how far it is: auto (on a terminal), always or never [auto]")
      .one_of({"auto", "always", "never"});
  add_flag(app, "--partials", command->partials,
           "with --wait, a line for each partial result: on standard error, documents with --json");
  add_flag(app, "--print-id", command->print_id, "print the bare id");
  add_flag(app, "--keep-result", command->keep, "keep the result also after --wait has printed it");
  add_flag(app, "--cancel-on-disconnect", command->cancel_on_disconnect,
           "cancel it when this command goes away");
  return [command](Context& context) { return command->run(context); };
}

}  // namespace warmpool::cli
