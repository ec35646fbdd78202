#include "client/cli/command_line.hpp"

#include <cerrno>
#include <cstring>
#include <memory>

#include "client/cli/completion.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/json_text.hpp"
#include "client/cli/parser.hpp"

namespace warmpool::cli {

int run(std::span<const std::string> arguments, Descriptors descriptors) {
  Parser parser;
  const auto parsed = parser.parse(arguments);
  Context context(parser.globals(), descriptors);
  if (parsed.row == nullptr) {
    (parsed.status == kOk ? context.out() : context.err()).write(parsed.text);
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
      context.err().write(wrong);
      return static_cast<int>(kUsage);
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
