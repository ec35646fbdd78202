// CLI11 declares and checks; words that name no command are found before it is asked, because its
// own answer ("argument was not expected") names no alternative.
#include "client/cli/parser.hpp"

#include <algorithm>

#include <CLI/CLI.hpp>

#include "client/cli/command_line.hpp"
#include "client/cli/complaint.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/format.hpp"

namespace warmpool::cli {

namespace {

std::pair<std::string, std::string> split(std::string_view name) {
  const std::size_t blank = name.find(' ');
  if (blank == name.npos) return {std::string(name), ""};
  return {std::string(name.substr(0, blank)), std::string(name.substr(blank + 1))};
}

bool is_group(std::string_view word) {
  const auto rows = command_rows();
  return std::any_of(rows.begin(), rows.end(), [&](const CommandRow& row) {
    return row.name.starts_with(std::string(word) + " ");
  });
}

// An option of every command that is followed by its value.
bool takes_value(const std::string& option) { return option == "--socket" || option == "--color"; }

}  // namespace

Parser::Parser() : root_(std::make_unique<CLI::App>("", "warmpool")) {
  root_->set_help_flag("-h,--help", "help, also after a command");
  root_->add_flag("-V,--version", version_, "print the version");
  add_text(*root_, "--socket", globals_.socket, "PATH", "socket of the daemon");
  root_->add_flag("--json", globals_.json, "print one JSON document, with \"schema\":1");
  add_text(*root_, "--color", globals_.color, "WHEN",
           "bold titles: auto, always or never; NO_COLOR counts")
      .one_of({"auto", "always", "never"});
  root_->add_flag("-q,--quiet", globals_.quiet, "no talk on standard error, but errors");
  // With one command chosen, a later word that is called like another is an argument.
  root_->require_subcommand(0, 1);
  for (const auto& row : command_rows()) {
    const auto [first, second] = split(row.name);
    CLI::App* app = (second.empty() ? root_.get() : group(first))
                        ->add_subcommand(second.empty() ? first : second);
    app->fallthrough();
    // Help is found in the arguments before any of them is checked.
    app->set_help_flag();
    apps_[row.name] = app;
    runs_[row.name] = row.declare(*app);
  }
}

Parser::~Parser() = default;

CLI::App* Parser::group(const std::string& name) {
  auto& known = groups_[name];
  if (known != nullptr) return known;
  CLI::App* made = root_->add_subcommand(name);
  made->require_subcommand(0, 1);
  made->set_help_flag();
  made->fallthrough();
  known = made;
  return made;
}

const CommandRow* Parser::chosen() const {
  for (const auto& row : command_rows()) {
    if (apps_.at(row.name)->parsed()) return &row;
  }
  return nullptr;
}

Parser::Parsed Parser::parse(std::span<const std::string> arguments) {
  const std::string words = command_words(arguments);
  if (const std::string wrong = unknown_command(words); !wrong.empty()) {
    return {nullptr, kUsage, "", wrong + "; " + std::string(kAllCommands)};
  }
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  if (std::any_of(arguments.begin(), end,
                  [](const std::string& word) { return word == "-h" || word == "--help"; })) {
    return {nullptr, kOk, words.empty() ? overview_text() : help_text(words)};
  }
  if (is_group(words)) {
    return {nullptr, kUsage, help_text(words),
            words + " needs a command after it; see: warmpool help " + words};
  }
  try {
    // CLI11 takes them from the back.
    root_->parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    const auto found = apps_.find(words);
    const std::string text =
        complaint(error, *root_, found == apps_.end() ? nullptr : found->second);
    const std::string topic = words.empty() ? "help" : "help " + words;
    const bool told = text.find("see: ") != text.npos;
    return {nullptr, kUsage, "", text + (told ? "" : "; see: warmpool " + topic)};
  }
  if (version_) {
    for (const auto& row : command_rows()) {
      if (row.name == "version") return {&row, kOk, ""};
    }
  }
  if (const CommandRow* row = chosen()) return {row, kOk, ""};
  return {nullptr, kUsage, overview_text(), "there is no command; " + std::string(kAllCommands)};
}

std::string command_words(std::span<const std::string> arguments) {
  std::string words;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (word == "--") break;
    if (word.starts_with('-')) {
      if (takes_value(word)) ++i;
      continue;
    }
    if (!words.empty()) return words + " " + word;
    words = word;
    if (!is_group(words)) break;
  }
  return words;
}

std::string unknown_command(const std::string& words) {
  const auto rows = command_rows();
  const auto is_row = [&](const CommandRow& row) { return row.name == words; };
  if (words.empty() || is_group(words) || std::any_of(rows.begin(), rows.end(), is_row)) return "";
  const auto [first, second] = split(words);
  std::vector<std::string_view> known;
  for (const auto& row : rows) {
    if (second.empty() || row.name.starts_with(first + " ")) known.push_back(row.name);
  }
  // "dql" is near to "dlq", though no command is called so.
  if (second.empty()) known.insert(known.end(), {"dlq", "config", "bench"});
  std::string text = "there is no command \"" + words + "\"";
  const auto near = nearest(words, known);
  if (!near.empty()) {
    text += "; did you mean \"" + std::string(near) + "\"?";
  } else if (!second.empty() && is_group(first)) {
    text += "; there are:";
    for (const auto name : known) text += " \"" + std::string(name) + "\"";
  }
  return text;
}

}  // namespace warmpool::cli
