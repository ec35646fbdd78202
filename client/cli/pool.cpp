// Commands about the pool as it runs.
#include <charconv>
#include <limits>
#include <memory>

#include "client/cli/board_command.hpp"
#include "client/cli/board_documents.hpp"
#include "client/cli/command.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/format.hpp"
#include "client/cli/json_text.hpp"
#include "client/cli/requests.hpp"

namespace warmpool::cli {

namespace {

constexpr std::string_view kWorkerColumns[] = {
    "id",           "class",          "state",        "health",         "score",
    "pid",          "tasks_executed", "current_task", "uptime_seconds", "utilization",
    "memory_bytes", "rss_bytes",      "start_ms",     "template",       "registered",
    "recovery",     "held_back",      "last_exit"};
constexpr std::string_view kTypeColumns[] = {"name",    "classes",          "paused_by",
                                             "breaker", "waiting",          "service_ms",
                                             "memory",  "memory_p95_bytes", "memory_runs"};

struct ScaleCommand {
  std::string amount{}, worker_class{};
  client::Client::Scale mode = client::Client::Scale::To;
  std::uint64_t number = 0;

  // Errors: not N, +N or -N, or more than the wire carries.
  bool read() {
    std::string_view digits = amount;
    if (digits.starts_with('+')) mode = client::Client::Scale::Up;
    if (digits.starts_with('-')) mode = client::Client::Scale::Down;
    if (mode != client::Client::Scale::To) digits.remove_prefix(1);
    const auto [end, failed] =
        std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return !digits.empty() && failed == std::errc{} && end == digits.data() + digits.size() &&
           number <= std::numeric_limits<std::uint16_t>::max();
  }

  int run(Context& context) {
    read();
    auto client = context.connect();
    if (!client) return context.fail(client.error());
    auto document = client->scale(worker_class, mode, number, reply_deadline());
    if (!document) return context.fail(document.error());
    return print_document(context, *document, {});
  }
};

int ping(Context& context) {
  auto client = context.connect();
  if (!client) return context.fail(client.error());
  const auto took = client->ping(reply_deadline());
  if (!took) return context.fail(took.error());
  const auto& server = client->daemon().server;
  context.print(context.json() ? JsonObject()
                                     .number("schema", kSchema)
                                     .text("server", server)
                                     .number("round_trip_ns", static_cast<std::uint64_t>(took->ns))
                                     .str()
                               : server + " answered in " + short_duration(*took));
  return kOk;
}

std::shared_ptr<bool> declare_board(CLI::App& app) {
  auto board = std::make_shared<bool>(false);
  add_flag(app, "--board", *board,
           "from the file that the daemon publishes, without asking it: also while it is stopped");
  return board;
}

struct PauseCommand {
  std::string type{}, worker_class{};
  bool all = false;

  int run(Context& context, ipc::Verb verb) const {
    ipc::RequestMeta meta{.verb = verb};
    if (!type.empty()) meta.arguments[0] = std::string_view(type);
    if (!worker_class.empty()) meta.arguments[1] = std::string_view(worker_class);
    if (all) meta.arguments[2] = true;
    return ask_and_print(context, meta, {});
  }
};

Run declare_pausing(CLI::App& app, ipc::Verb verb) {
  auto command = std::make_shared<PauseCommand>();
  const auto type = add_argument(app, "type", command->type, "a task type; none: the whole pool");
  const auto worker_class =
      add_text(app, "--class", command->worker_class, "NAME", "the workers of this class")
          .excludes(type);
  if (verb == ipc::Verb::Resume) {
    add_flag(app, "--all", command->all, "lift every pause, of types, classes and the pool")
        .excludes(type)
        .excludes(worker_class);
  }
  return [command, verb](Context& context) { return command->run(context, verb); };
}

}  // namespace

Run declare_status(CLI::App& app) {
  return [board = declare_board(app)](Context& context) {
    if (*board) return print_board(context, board_status, {});
    return ask_and_print(context, {.verb = ipc::Verb::Status}, {});
  };
}

Run declare_workers(CLI::App& app) {
  return [board = declare_board(app)](Context& context) {
    const View view{"workers", kWorkerColumns, "no worker"};
    if (*board) return print_board(context, board_workers, view);
    return ask_and_print(context, {.verb = ipc::Verb::Workers}, view);
  };
}

Run declare_worker(CLI::App& app) {
  auto slot = std::make_shared<std::string>();
  auto sizes = std::make_shared<bool>(false);
  add_argument(app, "slot", *slot, "its name, see: warmpool workers").required();
  add_flag(app, "--sizes", *sizes, "say how large its directories are, which are walked for that");
  return [slot, sizes](Context& context) {
    ipc::RequestMeta meta{.verb = ipc::Verb::Worker, .arguments = {std::string_view(*slot)}};
    if (*sizes) meta.arguments[1] = true;
    return ask_and_print(context, meta, {});
  };
}

Run declare_types(CLI::App&) {
  return [](Context& context) {
    return ask_and_print(
        context, {.verb = ipc::Verb::Types},
        {"types", kTypeColumns, "no type was seen yet; see: warmpool config show"});
  };
}

Run declare_scale(CLI::App& app) {
  auto command = std::make_shared<ScaleCommand>();
  add_argument(app, "n", command->amount, "so many workers; +N or -N: more or fewer")
      .required()
      .checked([](const std::string& text) {
        return ScaleCommand{.amount = text}.read()
                   ? ""
                   : "\"" + text + "\" is not N, +N or -N, at most 65535";
      });
  add_text(app, "--class", command->worker_class, "NAME", "the worker class; none: the only one");
  return [command](Context& context) { return command->run(context); };
}

Run declare_pause(CLI::App& app) { return declare_pausing(app, ipc::Verb::Pause); }

Run declare_resume(CLI::App& app) { return declare_pausing(app, ipc::Verb::Resume); }

Run declare_ping(CLI::App&) { return ping; }

}  // namespace warmpool::cli
