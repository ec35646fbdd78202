// The command line of warmpoold.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "daemon/config/setting.hpp"
#include "pool/result.hpp"

namespace warmpool::daemon {

struct Arguments {
  std::optional<std::string> config_file, restore;
  std::optional<std::string> replay, from, until, task;
  bool check_config = false, json = false, version = false, help = false, man = false;
  bool is_private = false;
  std::optional<pid_t> owner;     // with is_private
  std::vector<Setting> settings;  // --name VALUE of the pool's options, and --workers
};

// `words` without the program's name. "--name VALUE" and "--name=VALUE"; '-' and '_' are alike.
// Errors: one line, with what to do: unknown names (and the nearest known one), missing values,
//   words that are no option.
Result<Arguments> parse_arguments(std::span<const std::string> words);

struct ArgumentRow {
  std::string_view name;   // without the dashes
  std::string_view value;  // empty: takes none
  std::string_view help;
};

// What is not an option of the pool.
std::span<const ArgumentRow> argument_rows();

// Text of --help: usage, arguments, the rows of the tables of options, environment, exit statuses.
std::string help_text();
// The same as roff: warmpoold(8).
std::string manual_roff();
// The table of options in docs/daemon.md; a test compares them.
std::string options_markdown();

}  // namespace warmpool::daemon
