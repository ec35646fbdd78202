// Commands about alerts.
#include <memory>

#include "client/cli/command.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/requests.hpp"

namespace warmpool::cli {
namespace {

constexpr std::string_view kColumns[] = {"level", "name",         "subject", "state",
                                         "time",  "acknowledged", "count",   "text"};

struct AckCommand {
  std::string name{}, subject{};
  bool all = false;

  int run(Context& context) const {
    if (name.empty() != all) {
      return context.fail(kUsage, "name an alert, or give --all; see: warmpool alerts ls");
    }
    ipc::RequestMeta meta{.verb = ipc::Verb::AlertsAck};
    if (!name.empty()) meta.arguments[0] = std::string_view(name);
    if (!subject.empty()) meta.arguments[1] = std::string_view(subject);
    return ask_and_print(context, meta, {});
  }
};

}  // namespace

Run declare_alerts_ls(CLI::App& app) {
  auto all = std::make_shared<bool>(false);
  add_flag(app, "--all", *all, "also those that are resolved");
  return [all](Context& context) {
    ipc::RequestMeta meta{.verb = ipc::Verb::Alerts};
    meta.arguments[0] = *all;
    return ask_and_print(context, meta, {"alerts", kColumns, "all is well: no alert"});
  };
}

Run declare_alerts_ack(CLI::App& app) {
  auto command = std::make_shared<AckCommand>();
  const auto name =
      add_argument(app, "name", command->name, "of the alert, see: warmpool alerts ls");
  add_argument(app, "subject", command->subject,
               "the slot, class or type that it is about; none: of all");
  add_flag(app, "--all", command->all, "every alert there is").excludes(name);
  return [command](Context& context) { return command->run(context); };
}

}  // namespace warmpool::cli
