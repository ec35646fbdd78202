// Every option of the pool's table is an argument, so the parser knows none of them by name. Values
// are judged with those of all other layers, not here.
#include "daemon/config/arguments.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>

#include "daemon/config/apply.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::array<ArgumentRow, 14> kRows{{
    {"config", "FILE", "read this file and conf.d/*.toml beside it instead of the usual one"},
    {"workers", "N", "workers of the only class; its minimum and maximum move with it"},
    {"private", "",
     "for the program that starts it alone: ends at once with that, and removes --runtime-dir "
     "then"},
    {"owner", "PID", "with --private: that program; it may have ended before this could look"},
    {"restore", "FILE", "put this backup in the place of the store, and end"},
    {"replay", "PATH", "run a recording (a file or a directory of them), print it, and end"},
    {"from", "SECONDS", "with --replay: print what came then or later, in the store's time"},
    {"until", "SECONDS", "with --replay: print what came then or earlier"},
    {"task", "ID", "with --replay: print only what concerns this task"},
    {"check-config", "", "say what is wrong with the configuration, or ok, and end"},
    {"json", "", "with --check-config: as a JSON document"},
    {"version", "", "print the version and end"},
    {"help", "", "print this and end"},
    {"man", "", "print this as a manual page (roff) and end"},
}};

std::string with(std::string_view text, char from, char to) {
  std::string out(text);
  std::ranges::replace(out, from, to);
  return out;
}

const ArgumentRow* find_row(std::string_view name) {
  const auto* found = std::ranges::find(kRows, name, &ArgumentRow::name);
  return found == kRows.end() ? nullptr : found;
}

bool takes_value(std::string_view name) {
  const auto* row = find_row(name);
  return row == nullptr || !row->value.empty();
}

std::vector<std::string> known_names() {
  std::vector<std::string> names;
  for (const auto& row : kRows) names.emplace_back(row.name);
  for (const auto& name : pool_option_names()) names.push_back(with(name, '_', '-'));
  return names;
}

void take_flag(std::string_view name, Arguments& arguments) {
  arguments.check_config |= name == "check-config";
  arguments.json |= name == "json";
  arguments.is_private |= name == "private";
  arguments.version |= name == "version";
  arguments.help |= name == "help";
  arguments.man |= name == "man";
}

struct ValueRow {
  std::string_view name;
  std::optional<std::string> Arguments::*field;
};
constexpr std::array<ValueRow, 6> kValues{{{"config", &Arguments::config_file},
                                           {"restore", &Arguments::restore},
                                           {"replay", &Arguments::replay},
                                           {"from", &Arguments::from},
                                           {"until", &Arguments::until},
                                           {"task", &Arguments::task}}};

Result<void> take_owner(std::string_view value, Arguments& arguments) {
  pid_t owner = 0;
  const auto [end, fault] = std::from_chars(value.data(), value.data() + value.size(), owner);
  if (fault != std::errc() || end != value.data() + value.size() || owner <= 0) {
    return Error{0, "--owner takes the number of a process, not '" + std::string(value) + "'"};
  }
  arguments.owner = owner;
  return {};
}

Result<void> take_value(const std::string& name, std::string value, Arguments& arguments) {
  if (name == "owner") return take_owner(value, arguments);
  const auto* row = std::ranges::find(kValues, name, &ValueRow::name);
  if (row != kValues.end()) {
    arguments.*row->field = std::move(value);
    return {};
  }
  arguments.settings.push_back({with(name, '-', '_'),
                                SettingForm::Text,
                                {std::move(value)},
                                {Layer::Argument, "--" + name}});
  return {};
}

// Reads the word at `at`, and the next one if that is its value; leaves `at` behind them.
Result<void> take(std::span<const std::string> words, std::size_t& at, Arguments& arguments) {
  const std::string_view word = words[at++];
  if (word == "-h") return take_flag("help", arguments), Result<void>();
  if (!word.starts_with("--")) {
    return Error{0, "'" + std::string(word) + "' is no option; see: warmpoold --help"};
  }
  const auto equals = word.find('=');
  const auto end = equals == std::string_view::npos ? word.size() : equals;
  const auto name = with(word.substr(2, end - 2), '_', '-');
  const auto known = known_names();
  if (std::ranges::find(known, name) == known.end()) {
    return Error{
        0, "there is no option --" + name + nearest_hint(name, known) + "; see: warmpoold --help"};
  }
  if (!takes_value(name)) {
    if (equals != std::string_view::npos) return Error{0, "--" + name + " takes no value"};
    take_flag(name, arguments);
    return {};
  }
  if (equals != std::string_view::npos) {
    return take_value(name, std::string(word.substr(equals + 1)), arguments);
  }
  if (at == words.size()) return Error{0, "--" + name + " needs a value after it"};
  return take_value(name, words[at++], arguments);
}

}  // namespace

std::span<const ArgumentRow> argument_rows() { return kRows; }

Result<Arguments> parse_arguments(std::span<const std::string> words) {
  Arguments arguments;
  std::size_t at = 0;
  while (at < words.size()) {
    if (auto taken = take(words, at, arguments); !taken) return taken.error();
  }
  if (arguments.json && !arguments.check_config) {
    return Error{0,
                 "--json goes with --check-config; for a running daemon use: warmpool status "
                 "--json"};
  }
  const auto names_place = [](const Setting& setting) { return setting.name == "runtime_dir"; };
  if (arguments.is_private && std::ranges::none_of(arguments.settings, names_place)) {
    return Error{0, "--private goes with --runtime-dir: a directory that was made for it"};
  }
  if (arguments.owner && !arguments.is_private) return Error{0, "--owner goes with --private"};
  if (!arguments.replay && (arguments.from || arguments.until || arguments.task)) {
    return Error{0, "--from, --until and --task go with --replay"};
  }
  return arguments;
}

}  // namespace warmpool::daemon
