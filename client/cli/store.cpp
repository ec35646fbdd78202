// Commands about what the daemon keeps.
#include <algorithm>
#include <filesystem>
#include <memory>

#include <nlohmann/json.hpp>

#include "client/cli/command.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/requests.hpp"

namespace warmpool::cli {

namespace {

struct CleanCommand {
  std::optional<Duration> older;
  std::string state;
};

// A backup that does not hold all is none that anybody may rely on.
int say_left_out(Context& context, const std::string& document) {
  const auto parsed = nlohmann::json::parse(document, nullptr, false);
  const auto count = parsed.is_object() ? parsed.value("bodies_left_out", 0U) : 0U;
  if (count == 0) return kOk;
  std::string named;
  if (const auto tasks = parsed.find("left_out"); tasks != parsed.end() && tasks->is_array()) {
    for (const auto& task : *tasks) named += " " + task.dump();
  }
  return context.fail(kFailed, "the backup is made without " + std::to_string(count) +
                                   " payloads or results, whose files are missing or damaged; "
                                   "tasks:" +
                                   named);
}

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
    auto client = context.connect();
    if (!client) return context.fail(client.error());
    const ipc::RequestMeta meta{.verb = ipc::Verb::Backup,
                                .arguments = {std::string_view(absolute)}};
    const auto document = client->request(meta, ipc::kNoDeadline);
    if (!document) return context.fail(document.error());
    const int printed = print_document(context, *document, {});
    return std::max(printed, say_left_out(context, *document));
  };
}

}  // namespace warmpool::cli
