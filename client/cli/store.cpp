// Commands about what the daemon keeps.
#include <filesystem>
#include <memory>

#include "client/cli/command.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/requests.hpp"

namespace warmpool::cli {

namespace {

struct CleanCommand {
  std::optional<Duration> older;
  std::string state;
};

}  // namespace

Run declare_clean(CLI::App& app) {
  auto command = std::make_shared<CleanCommand>();
  add_time(app, "--older", command->older, "that settled longer ago: 7d").required();
  add_text(app, "--state", command->state, "STATE", "only these; dead ones only so")
      .one_of({"done", "dead", "cancelled", "expired", "skipped"});
  return [command](Context& context) {
    ipc::RequestMeta meta{.verb = ipc::Verb::Clean,
                          .arguments = {static_cast<std::uint64_t>(command->older->ns)}};
    if (!command->state.empty()) meta.arguments[1] = std::string_view(command->state);
    return ask_patiently(context, meta);
  };
}

Run declare_backup(CLI::App& app) {
  auto file = std::make_shared<std::string>();
  add_argument(app, "file", *file, "where nothing is yet; the daemon writes it").required();
  return [file](Context& context) {
    std::error_code failed;
    const auto absolute = std::filesystem::absolute(*file, failed).string();
    if (failed) return context.fail(kCannotCreate, *file + ": " + failed.message());
    return ask_patiently(context,
                         {.verb = ipc::Verb::Backup, .arguments = {std::string_view(absolute)}});
  };
}

}  // namespace warmpool::cli
