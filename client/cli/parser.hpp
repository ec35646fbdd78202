// The parser with all commands declared to it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "client/cli/command.hpp"

namespace warmpool::cli {

class Parser {
 public:
  Parser();
  ~Parser();

  struct Parsed {
    const CommandRow* row = nullptr;  // none: help, version or an error, see status and text
    int status = 0;
    std::string text{};
    std::string fault{};  // of an error: what is wrong, on one line
  };
  Parsed parse(std::span<const std::string> arguments);
  const Globals& globals() const { return globals_; }
  const Run& run_of(const CommandRow& row) const { return runs_.at(row.name); }

  const CLI::App& app() const { return *root_; }
  const CLI::App& app_of(const CommandRow& row) const { return *apps_.at(row.name); }

 private:
  CLI::App* group(const std::string& name);
  const CommandRow* chosen() const;

  std::unique_ptr<CLI::App> root_;
  Globals globals_;
  bool version_ = false;
  std::map<std::string, CLI::App*> groups_;
  std::map<std::string_view, CLI::App*> apps_;
  std::map<std::string_view, Run> runs_;
};

// "submit" for {"--socket", "x", "submit", ...}: the first one or two words that name a command.
// Empty if every word is an option.
std::string command_words(std::span<const std::string> arguments);
// Says what is wrong with words that name no command, on one line, or nothing.
std::string unknown_command(const std::string& words);
inline constexpr std::string_view kAllCommands = "all commands: warmpool help";

}  // namespace warmpool::cli
