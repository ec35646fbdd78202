#include "client/cli/manual.hpp"

#include <algorithm>

#include <CLI/CLI.hpp>

#include "client/cli/command_line.hpp"
#include "client/cli/parser.hpp"
#include "client/cli/why_rules.hpp"

namespace warmpool::cli {

namespace {

struct HelpLine {
  std::string left, right;
};

std::string aligned(const std::vector<HelpLine>& lines) {
  std::size_t width = 0;
  for (const auto& line : lines) {
    width = std::max(width, line.left.size());
  }
  std::string text;
  for (const auto& line : lines) {
    text += "  " + line.left + std::string(width - line.left.size() + 2, ' ') + line.right + "\n";
  }
  return text;
}

std::string argument_name(const CLI::Option& option) {
  std::string name = option.get_name();
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  if (option.get_expected_max() > 1) name += "...";
  return option.get_required() ? name : "[" + name + "]";
}

std::string option_name(const CLI::Option& option) {
  std::string name = option.get_name(false, true);
  std::size_t at = 0;
  while ((at = name.find(',', at)) != std::string::npos) {
    name.insert(++at, " ");
  }
  if (option.get_type_size() != 0) name += " " + option.get_type_name();
  return name;
}

std::vector<const CLI::Option*> select(const CLI::App& app, bool positional) {
  std::vector<const CLI::Option*> found;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional() == positional) found.push_back(option);
  }
  return found;
}

std::string rules_text() {
  std::string text = "\nRules, in the order in which they are looked at:\n";
  for (const auto& row : kRuleRows) {
    text += "  " + std::string(row.name) + ": " + std::string(row.meaning) +
            "\n    what changes it: " + std::string(row.change) + "\n";
  }
  return text;
}

std::string indented(std::string_view text, std::string_view indent) {
  std::string all;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    all += std::string(indent) + std::string(text.substr(0, end)) + "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return all;
}

}  // namespace

std::string options_text(const CLI::App& app) {
  std::vector<HelpLine> lines;
  for (const auto* option : select(app, false)) {
    lines.push_back({option_name(*option), option->get_description()});
  }
  return aligned(lines);
}

std::string usage_of(const CommandRow& row, const CLI::App& app) {
  std::string usage = "warmpool " + std::string(row.name);
  if (!select(app, false).empty()) usage += " [OPTIONS]";
  for (const auto* argument : select(app, true)) {
    if (row.name == "run" && argument->get_name() == "command") usage += " --";
    usage += " " + argument_name(*argument);
  }
  return usage;
}

std::string command_help(const CommandRow& row, const CLI::App& app) {
  std::string text = usage_of(row, app) + "\n\n  " + std::string(row.summary) + "\n";
  std::vector<HelpLine> arguments;
  for (const auto* argument : select(app, true)) {
    arguments.push_back({argument_name(*argument), argument->get_description()});
  }
  if (!arguments.empty()) text += "\nArguments:\n" + aligned(arguments);
  if (!select(app, false).empty()) text += "\nOptions:\n" + options_text(app);
  if (!row.notes.empty()) text += "\n" + indented(row.notes, "");
  if (row.name == "why") text += rules_text();
  return text;
}

std::string overview_text() {
  const Parser parser;
  std::string text =
      "warmpool [OPTIONS] COMMAND ...: asks a warmpoold for work\n\nOptions of every command:\n" +
      options_text(parser.app());
  std::string_view group;
  std::vector<HelpLine> lines;
  const auto close = [&] {
    if (!lines.empty()) text += "\n" + std::string(group) + ":\n" + aligned(lines);
    lines.clear();
  };
  for (const auto& row : command_rows()) {
    if (row.group != group) close();
    group = row.group;
    lines.push_back({std::string(row.name), std::string(row.summary)});
  }
  close();
  text += "\nExit status:\n";
  for (const auto& row : kExitRows) {
    lines.push_back({std::to_string(row.status), std::string(row.meaning)});
  }
  text += aligned(lines);
  return text +
         "\nTimes are written 500ms, 5s, 1h30m. Data goes to standard output, talk to standard\n"
         "error. The socket: --socket, else WARMPOOL_SOCKET, else warmpool.sock in\n"
         "$XDG_RUNTIME_DIR/warmpool, /run/warmpool (root) or /tmp/warmpool-UID.\n\n"
         "With --json an error is a line of standard error, with the same exit status:\n"
         "  {\"schema\":1,\"error\":{\"status\":S,\"code\":N,\"text\":\"...\",\"hint\":\"...\"}}\n"
         "status: what the command ends with. code: the number of a refusal (docs/protocol.md); 1 "
         "no\n"
         "answer in time, 2 nobody there, 3 the connection was lost, 4 not our protocol; else "
         "null.\n"
         "hint: the end of the text where it says what to do, else null. Talk stays text; -q: "
         "none.\n\n"
         "More about a command: warmpool help COMMAND\n";
}

std::string help_text(std::string_view command) {
  const Parser parser;
  std::string text;
  for (const auto& row : command_rows()) {
    const bool of_group = row.name.starts_with(std::string(command) + " ");
    if (row.name != command && !of_group) continue;
    if (!text.empty()) text += "\n";
    text += command_help(row, parser.app_of(row));
  }
  return text;
}

std::string manual_page() {
  const Parser parser;
  std::string page =
      "# The command line\n\nMade from the table of commands (`client/cli/command.cpp`); a test "
      "compares them. Accept a change with `WARMPOOL_ACCEPT=1`.\n\n```\n" +
      overview_text() + "```\n";
  for (const auto& row : command_rows()) {
    page += "\n## warmpool " + std::string(row.name) + "\n\n```\n" +
            command_help(row, parser.app_of(row)) + "```\n";
  }
  return page;
}

}  // namespace warmpool::cli
