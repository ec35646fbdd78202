// By the class of the exception; what CLI11 says beside that is cut down to the name it is about.
#include "client/cli/complaint.hpp"

#include <algorithm>

#include <CLI/CLI.hpp>

#include "client/cli/format.hpp"

namespace warmpool::cli {

namespace {

void add_names(const CLI::App& app, std::vector<std::string>& names) {
  for (const CLI::Option* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  }
}

// "--timout" -> "there is no option --timout; did you mean --timeout?".
std::string no_option(const std::string& word, const CLI::App& root, const CLI::App* command) {
  std::vector<std::string> names;
  add_names(root, names);
  if (command != nullptr) add_names(*command, names);
  const std::string name = word.substr(0, word.find('='));
  const std::vector<std::string_view> known(names.begin(), names.end());
  const auto near = nearest(name, known);
  return "there is no option " + name +
         (near.empty() ? "" : "; did you mean " + std::string(near) + "?");
}

std::string upper(std::string text) {
  if (text.starts_with('-')) return text;
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

// "--priority: 1 required N missing" -> "--priority".
std::string before(const std::string& text, std::string_view mark) {
  return text.substr(0, text.find(mark));
}

std::string mismatch(const std::string& said) {
  const std::string name = before(said, ":");
  const bool too_many = said.find("At Most") != said.npos;
  if (too_many) return "there is more than one " + upper(name) + "; give one";
  return name + " needs a value after it";
}

// "--delay excludes --run-at".
std::string exclusion(const std::string& said) {
  constexpr std::string_view mark = " excludes ";
  const auto at = said.find(mark);
  if (at == said.npos) return said;
  return "give " + upper(said.substr(0, at)) + " or " + upper(said.substr(at + mark.size())) +
         ", not both";
}

}  // namespace

std::string complaint(const CLI::ParseError& error, const CLI::App& root, const CLI::App* command) {
  const std::string said = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    const auto extra = root.remaining(true);
    if (extra.empty()) return said;
    if (extra.front().starts_with('-')) return no_option(extra.front(), root, command);
    return "\"" + extra.front() + "\" is one argument too many";
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) return mismatch(said);
  if (dynamic_cast<const CLI::ExcludesError*>(&error) != nullptr) return exclusion(said);
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    return upper(before(said, " is required")) + " is missing";
  }
  return said;
}

}  // namespace warmpool::cli
