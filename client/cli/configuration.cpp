// config show asks the daemon; config check runs warmpoold, because only it reads TOML.
#include <cerrno>
#include <cstring>
#include <memory>
#include <unistd.h>

#include "client/cli/command.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/private_daemon.hpp"
#include "client/cli/requests.hpp"

namespace warmpool::cli {

namespace {

constexpr std::string_view kPlain[] = {"name", "value"};
constexpr std::string_view kWithOrigin[] = {"name", "value", "origin"};

// The one built with us before one that happens to be in PATH. Returns only if it cannot be run.
int exec_check(Context& context, const std::string& file) {
  std::vector<std::string> words{"warmpoold", "--check-config"};
  if (!file.empty()) words.insert(words.end(), {"--config", file});
  if (context.json()) words.emplace_back("--json");
  std::vector<char*> argv;
  for (auto& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  context.out().flush();
  const std::string beside = directory_of_this_program() + "/warmpoold";
  ::execv(beside.c_str(), argv.data());
  ::execvp("warmpoold", argv.data());
  return context.fail(kFailed, std::string("cannot run warmpoold: ") + std::strerror(errno) +
                                   "; install it beside warmpool, or put it into PATH");
}

}  // namespace

Run declare_config_show(CLI::App& app) {
  auto origin = std::make_shared<bool>(false);
  add_flag(app, "--origin", *origin, "and where each value came from");
  return [origin](Context& context) {
    View view{.rows = "options"};
    view.columns = *origin ? std::span<const std::string_view>(kWithOrigin) : kPlain;
    return ask_and_print(context, {.verb = ipc::Verb::Config}, view);
  };
}

Run declare_config_check(CLI::App& app) {
  auto file = std::make_shared<std::string>();
  add_argument(app, "file", *file, "the file; none: those that warmpoold would read");
  return [file](Context& context) { return exec_check(context, *file); };
}

}  // namespace warmpool::cli
