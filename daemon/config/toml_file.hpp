// Reads one TOML file into settings. The only place that knows TOML.
#pragma once

#include <string>
#include <string_view>

#include "daemon/config/setting.hpp"

namespace warmpool::daemon {

// `text` is the content of the file `path`, which is only named in origins.
// Errors: appended to `problems`, all that are found, each with line and column; what could be read
//   is in the result all the same.
// Bounds: 1 MiB of text.
Settings read_toml(std::string_view text, const std::string& path, const Environment& environment,
                   Problems& problems);

}  // namespace warmpool::daemon
