// Commands about circuit breakers.
#include <memory>

#include "client/cli/command.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/requests.hpp"

namespace warmpool::cli {

namespace {

constexpr std::string_view kColumns[] = {
    "name",    "state",   "since",   "why",   "next_probe", "failures_in_a_row",
    "at_once", "running", "waiting", "opened"};
constexpr std::string_view kNone =
    "no type has a circuit breaker; set breaker = true of the pool or in a [[type]]";

struct BreakerCommand {
  std::string type{};
  std::optional<Duration> time{};

  int run(Context& context, ipc::Verb verb) const {
    ipc::RequestMeta meta{.verb = verb, .arguments = {std::string_view(type)}};
    if (time) meta.arguments[1] = static_cast<std::uint64_t>(time->ns);
    return ask_and_print(context, meta, {"breakers", kColumns, kNone});
  }
};

std::shared_ptr<BreakerCommand> declare_type(CLI::App& app) {
  auto command = std::make_shared<BreakerCommand>();
  add_argument(app, "type", command->type, "a task type").required();
  return command;
}

}  // namespace

Run declare_breaker_ls(CLI::App&) {
  return [](Context& context) {
    return ask_and_print(context, {.verb = ipc::Verb::Breakers}, {"breakers", kColumns, kNone});
  };
}

Run declare_breaker_open(CLI::App& app) {
  auto command = declare_type(app);
  add_time(app, "--for", command->time, "how long; else as long as if it had opened by itself");
  return [command](Context& context) { return command->run(context, ipc::Verb::BreakerOpen); };
}

Run declare_breaker_close(CLI::App& app) {
  auto command = declare_type(app);
  return [command](Context& context) { return command->run(context, ipc::Verb::BreakerClose); };
}

}  // namespace warmpool::cli
