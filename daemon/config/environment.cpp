// Two kinds of names: plain ones that scripts around earlier pools set (requirements R11), and
// WARMPOOL_<OPTION>, which win. A variable WARMPOOL_X that no option has is no error, because the
// prefix is shared with clients, workers and tests; one that looks mistyped is told.
#include "daemon/config/environment.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <unistd.h>

#include "daemon/config/apply.hpp"

namespace warmpool::daemon {
namespace {

struct PlainRow {
  std::string_view variable;
  std::string_view option;  // "worker.": of the only class
  bool is_time;
};

constexpr std::array<PlainRow, 9> kPlainRows{{
    {"POOL_SIZE", "workers", false},
    {"FIFO_DIR", "fifo_dir", false},
    {"HEARTBEAT_INTERVAL", "heartbeat_interval", true},
    {"DEAD_WORKER_THRESHOLD", "dead_after", true},
    {"SLOW_TASK_THRESHOLD", "slow_after", true},
    {"MAX_RETRIES", "retries", false},
    {"MAX_RESTART_ATTEMPTS", "restarts_max", false},
    {"WORKER_MAX_TASKS", "worker.max_tasks", false},
    {"SUPPORTED_TASK_TYPES", "worker.types", false},
}};

constexpr std::string_view kPrefix = "WARMPOOL_";
// Names under the prefix that others read.
constexpr std::array<std::string_view, 9> kForeign{
    "SOCKET", "CHANNEL", "WORKER", "TOKEN", "MARK", "ACCEPT", "SOURCE_DIR", "BIN_DIR", "SLOT"};

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

Setting setting_of(std::string_view variable, std::string_view option, std::string value) {
  return {std::string(option),
          SettingForm::Text,
          {std::move(value)},
          {Layer::Environment, std::string(variable)}};
}

Setting plain_setting(const PlainRow& row, std::string value) {
  if (row.is_time && is_number(value)) value += "s";
  return setting_of(row.variable, row.option, std::move(value));
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

void take_prefixed(const std::string& variable, const std::string& value,
                   std::vector<Setting>& settings, std::vector<std::string>& notes) {
  const auto rest = std::string_view(variable).substr(kPrefix.size());
  if (std::ranges::find(kForeign, rest) != kForeign.end()) return;
  auto names = pool_option_names();
  names.emplace_back("workers");
  const auto option = lower(rest);
  if (std::ranges::find(names, option) != names.end()) {
    settings.push_back(setting_of(variable, option, value));
  } else if (const auto hint = nearest_hint(option, names); !hint.empty()) {
    notes.push_back("environment variable " + variable + " sets no option" + hint);
  }
}

}  // namespace

Environment environment_of_process() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

std::vector<Setting> environment_settings(const Environment& environment,
                                          std::vector<std::string>& notes) {
  std::vector<Setting> settings;
  for (const auto& row : kPlainRows) {
    const auto found = environment.find(row.variable);
    if (found == environment.end() || found->second.empty()) continue;
    settings.push_back(plain_setting(row, found->second));
  }
  for (auto at = environment.lower_bound(kPrefix);
       at != environment.end() && at->first.starts_with(kPrefix); ++at) {
    if (!at->second.empty()) take_prefixed(at->first, at->second, settings, notes);
  }
  return settings;
}

}  // namespace warmpool::daemon
