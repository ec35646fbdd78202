#include "client/cli/command_line.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "client/cli/completion.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/json_text.hpp"
#include "client/cli/parser.hpp"

namespace warmpool::cli {

namespace {

// Also where the words around it are wrong.
bool wants_json(std::span<const std::string> arguments) {
  const auto end = std::ranges::find(arguments, "--");
  return std::find(arguments.begin(), end, "--json") != end;
}

}  // namespace

int run(std::span<const std::string> arguments, Descriptors descriptors) {
  Parser parser;
  const auto parsed = parser.parse(arguments);
  Globals globals = parser.globals();
  if (parsed.row == nullptr) globals.json = wants_json(arguments);
  Context context(globals, descriptors);
  if (parsed.row == nullptr) {
    // Of an error either what is wrong, or for people a page of help in its place.
    const bool page = parsed.status != kOk && !globals.json && !parsed.text.empty();
    if (parsed.status != kOk && !page) return context.fail(parsed.status, parsed.fault);
    (page ? context.err() : context.out()).write(parsed.text);
    context.out().flush();
    return parsed.status;
  }
  const int status = parser.run_of(*parsed.row)(context);
  context.out().flush();
  if (!context.out().broken()) return status;
  if (context.out().error() == EPIPE) return kBrokenPipe;
  return context.fail(
      kFailed, std::string("cannot write the output: ") + std::strerror(context.out().error()));
}

Run declare_help(CLI::App& app) {
  auto words = std::make_shared<std::vector<std::string>>();
  auto man = std::make_shared<bool>(false);
  add_arguments(app, "command", *words, "the command; none: an overview").at_most(2);
  add_flag(app, "--man", *man, "all of it as a manual page (roff)");
  return [words, man](Context& context) {
    if (*man) {
      context.out().write(manual_roff());
      return static_cast<int>(kOk);
    }
    std::string name;
    for (const auto& word : *words) {
      name += (name.empty() ? "" : " ") + word;
    }
    if (const std::string wrong = unknown_command(name); !wrong.empty()) {
      return context.fail(kUsage, wrong + "; " + std::string(kAllCommands));
    }
    context.out().write(name.empty() ? overview_text() : help_text(name));
    return static_cast<int>(kOk);
  };
}

Run declare_version(CLI::App&) {
  return [](Context& context) {
    context.print(
        context.json()
            ? JsonObject().number("schema", kSchema).text("version", WARMPOOL_VERSION).str()
            : std::string("warmpool ") + WARMPOOL_VERSION);
    return static_cast<int>(kOk);
  };
}

}  // namespace warmpool::cli
