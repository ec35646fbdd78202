// The configuration as the daemon runs with it: every value with its origin.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/config/setting.hpp"
#include "pool/breaker_options.hpp"
#include "pool/task_memory.hpp"

namespace warmpool::daemon {

// Options with where each came from; what is not in `origins` is built in.
template <class Owner>
struct Sourced {
  Owner values;
  std::map<std::string, Origin, std::less<>> origins;
  bool brought = false;  // a class that is in no file: workers that others started brought it
};

struct Configuration {
  Sourced<Options> pool;
  std::vector<Sourced<ClassOptions>> classes;
  std::vector<Sourced<TypeOptions>> types;  // in the order in which they were first named
  std::vector<std::string> files;           // that were read, in order
  std::vector<std::string> notes;           // what was adjusted or ignored, for the log
};

// All that a configuration is made from, as a value, so that tests need no environment.
struct Sources {
  std::string program_directory;           // where warmpoold lies
  std::optional<std::string> config_file;  // --config; must exist if given
  std::vector<Setting> arguments;
  Environment environment;
};

// Layers, a later one wins: built-in, the file, conf.d/*.toml beside it in order of name, R11's
// plain variables, WARMPOOL_<OPTION>, arguments. Without any class: one class "worker" of the stock
// warmpool-worker in `program_directory`.
// Blocks: reads files. Errors: appended to `problems`, all that are found.
Configuration load_configuration(const Sources& sources, Problems& problems);

// $XDG_CONFIG_HOME/warmpool/warmpool.toml (or ~/.config/...), else /etc/warmpool/warmpool.toml;
// nullopt if neither exists.
std::optional<std::string> default_config_file(const Environment& environment);

// What holds for a type: of the tables with its very name the one, else the first whose pattern it
// fits, else nothing.
TypeOptions type_options_of(const Configuration& configuration, std::string_view type);
// And with the pool's options where that says nothing.
BreakerOptions breaker_of(const Configuration& configuration, std::string_view type);
TaskMemory task_memory_of(const Configuration& configuration, std::string_view type);

// The name of a class: 1 to 64 of a-z A-Z 0-9 _ - .
bool is_class_name(std::string_view name);

}  // namespace warmpool::daemon
