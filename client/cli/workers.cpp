// Commands about single workers: restart them, judge one, speak for one.
#include <memory>

#include <nlohmann/json.hpp>

#include "client/cli/command.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/format.hpp"
#include "client/cli/interrupts.hpp"
#include "client/cli/json_text.hpp"
#include "client/cli/members.hpp"
#include "client/cli/requests.hpp"

namespace warmpool::cli {

namespace {

using nlohmann::json;
using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLookInterval{200};

struct RestartCommand {
  std::string slot, worker_class;
  bool all = false, no_wait = false;
  std::optional<Duration> timeout;

  int run(Context& context) const {
    if (slot.empty() && worker_class.empty() && !all) {
      return context.fail(kUsage,
                          "name a slot, or give --all or --class NAME; see: warmpool help "
                          "restart");
    }
    Interrupts interrupts;
    auto client = context.connect();
    if (!client) return context.fail(client.error());
    ipc::RequestMeta meta{.verb = ipc::Verb::Restart, .arguments = {}};
    if (!slot.empty()) meta.arguments[0] = std::string_view(slot);
    if (!worker_class.empty()) meta.arguments[1] = std::string_view(worker_class);
    auto document = client->request(meta, reply_deadline());
    if (!document) return context.fail(document.error());
    if (slot.empty()) say_left_out(context, *client);
    if (!no_wait) {
      const int status = wait(context, *client, interrupts);
      if (status != kOk) return status;
    }
    return print_document(context, *document, {});
  }

  // Nobody replaces a worker that people started themselves.
  void say_left_out(Context& context, client::Client& client) const {
    const auto document = client.request({.verb = ipc::Verb::Workers}, reply_deadline());
    const json parsed = json::parse(document ? *document : std::string(), nullptr, false);
    if (!parsed.is_object() || !parsed.contains("workers")) return;
    std::size_t left_out = 0;
    for (const auto& row : parsed["workers"]) {
      const bool its_class = worker_class.empty() || text_of(row, "class") == worker_class;
      left_out += its_class && row.value("registered", false) ? 1U : 0U;
    }
    if (left_out == 0) return;
    context.say(std::to_string(left_out) +
                " that were not started by the daemon are left out: it could not replace them; "
                "restart them where they were started, or name one to have it leave");
  }

  // Until none of those that were asked for works or ends any more.
  int wait(Context& context, client::Client& client, Interrupts& interrupts) const {
    const auto deadline =
        timeout ? client::in(std::chrono::nanoseconds(timeout->ns)) : ipc::kNoDeadline;
    std::size_t said = 0;
    while (true) {
      const auto document = client.request({.verb = ipc::Verb::Workers}, reply_deadline());
      if (!document) return context.fail(document.error());
      const std::size_t left = left_of(*document);
      if (left == 0) return kOk;
      if (left != said) context.say(std::to_string(left) + " to be replaced");
      said = left;
      pollfd also[] = {{interrupts.fd(), POLLIN, 0}};
      const auto look = std::min(deadline, client::in(kLookInterval));
      if (auto event = client.wait_any(look, also); !event) return context.fail(event.error());
      const bool interrupted = interrupts.take();
      if (!interrupted && steady_clock::now() < deadline) continue;
      const std::string text = std::to_string(left) +
                               " workers are still to be replaced, and will be as successors "
                               "become ready; look with: warmpool workers";
      if (!interrupted) return context.fail(kTimedOut, text);
      context.say(text);
      return kInterrupted;
    }
  }

  std::size_t left_of(const std::string& document) const {
    const json parsed = json::parse(document, nullptr, false);
    if (!parsed.is_object() || !parsed.contains("workers")) return 0;
    std::size_t left = 0;
    for (const auto& row : parsed["workers"]) {
      const std::string id = text_of(row, "id");
      const bool its_slot = slot.empty() || id.substr(0, slot.size()) == slot;
      const bool its_class = worker_class.empty() || text_of(row, "class") == worker_class;
      const bool exact = slot.empty() || id == slot || id == slot + ".old" || id == slot + ".new";
      left += its_slot && exact && its_class && text_of(row, "due") == "restart" ? 1U : 0U;
    }
    return left;
  }
};

// Health of one slot as a status, for scripts and service managers.
int check(Context& context, const std::string& slot) {
  auto document = context.ask({.verb = ipc::Verb::Worker, .arguments = {std::string_view(slot)}});
  if (!document) return context.fail(document.error());
  const json parsed = json::parse(*document, nullptr, false);
  const bool healthy =
      parsed.is_object() && parsed.contains("healthy") && parsed["healthy"] == true;
  const std::string health = text_of(parsed, "health");
  const std::string said = text_of(parsed, "coarse"), coarse = said.empty() ? health : said;
  if (context.json()) {
    context.print(JsonObject()
                      .number("schema", kSchema)
                      .text("worker", slot)
                      .flag("healthy", healthy)
                      .text("coarse", coarse)
                      .text("health", health)
                      .text("state", text_of(parsed, "state"))
                      .str());
  } else {
    const std::string also = health == coarse ? "" : health + ", ";
    context.print(slot + " is " + coarse + " (" + also + text_of(parsed, "state") + ")");
  }
  return healthy ? kOk : kFailed;
}

struct HeartbeatCommand {
  std::string slot, status, task;

  int run(Context& context) const {
    ipc::RequestMeta meta{.verb = ipc::Verb::Heartbeat, .arguments = {std::string_view(slot)}};
    if (!status.empty()) meta.arguments[1] = std::string_view(status);
    if (!task.empty()) meta.arguments[2] = *parse_id(task);
    auto document = context.ask(meta);
    if (!document) return context.fail(document.error());
    return context.json() ? print_document(context, *document, {}) : kOk;
  }
};

}  // namespace

Run declare_restart(CLI::App& app) {
  auto command = std::make_shared<RestartCommand>();
  const auto slot = add_argument(app, "slot", command->slot, "its name, see: warmpool workers");
  add_flag(app, "--all", command->all,
           "all workers that the daemon started, class by class a few at a time")
      .excludes(slot);
  add_text(app, "--class", command->worker_class, "NAME", "all of this class").excludes(slot);
  add_flag(app, "--no-wait", command->no_wait, "return when the daemon has taken it");
  add_time(app, "--timeout", command->timeout, "how long to wait; else without end");
  return [command](Context& context) { return command->run(context); };
}

Run declare_check(CLI::App& app) {
  auto slot = std::make_shared<std::string>();
  add_argument(app, "slot", *slot, "its name, see: warmpool workers").required();
  return [slot](Context& context) { return check(context, *slot); };
}

Run declare_heartbeat(CLI::App& app) {
  auto command = std::make_shared<HeartbeatCommand>();
  add_argument(app, "slot", command->slot, "its name: $WORKER_ID of the process").required();
  add_argument(app, "status", command->status, "what it does, for people");
  add_argument(app, "task", command->task, "the id of the task that it is at").checked(wrong_id);
  return [command](Context& context) { return command->run(context); };
}

}  // namespace warmpool::cli
