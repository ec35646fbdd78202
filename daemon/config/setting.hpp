// What a layer of the configuration says, before anybody knows whether it makes sense.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config/origin.hpp"

namespace warmpool::daemon {

using Environment = std::map<std::string, std::string, std::less<>>;

enum class SettingForm : std::uint8_t { Text, Number, Flag, List };

struct Setting {
  std::string name;
  SettingForm form = SettingForm::Text;
  std::vector<std::string> values;  // exactly one, but for a list
  Origin origin;
};

struct SettingTable {
  Origin origin;
  std::vector<Setting> settings;
};

// One file, or one of the other layers.
struct Settings {
  std::vector<Setting> pool;
  std::vector<SettingTable> classes, types;
};

// Replaces ${NAME} by the variable's value; $${ stands for a plain ${. Errors: false, and `missing`
// is the name that is not set, or empty where a brace is not closed. The value itself is never
// part of a message: it may be a secret.
bool substitute(std::string& text, const Environment& environment, std::string& missing);

// The name most like `name`, or empty if none is near enough to be meant.
std::string nearest_name(std::string_view name, const std::vector<std::string>& known);
// "; did you mean 'x'?" or "".
std::string nearest_hint(std::string_view name, const std::vector<std::string>& known);

}  // namespace warmpool::daemon
