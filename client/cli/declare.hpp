// Options and arguments, declared to the parser by what they are. Commands include this and not
// CLI11, which costs ten seconds of build time for each source that sees it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "pool/ids.hpp"
#include "pool/time.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace warmpool::cli {

// What else holds of one that was declared. A value that breaks it is an error of usage.
class Declared {
 public:
  explicit Declared(CLI::Option* option) : option_(option) {}
  Declared required() const;
  Declared excludes(Declared other) const;
  Declared one_of(std::vector<std::string> words) const;
  Declared within(std::uint64_t minimum, std::uint64_t maximum) const;
  Declared at_most(int count) const;
  // `check` returns what is wrong with a value, or nothing.
  Declared checked(const std::function<std::string(const std::string&)>& check) const;

 private:
  CLI::Option* option_;
};

// Order: `value` must live as long as the parser. `kind`: what stands for the value in help.
Declared add_flag(CLI::App& app, const std::string& name, bool& value, const std::string& help);
Declared add_text(CLI::App& app, const std::string& name, std::string& value,
                  const std::string& kind, const std::string& help);
// May be given again; one value each time.
Declared add_texts(CLI::App& app, const std::string& name, std::vector<std::string>& values,
                   const std::string& kind, const std::string& help);
Declared add_number(CLI::App& app, const std::string& name, std::uint64_t& value,
                    const std::string& kind, const std::string& help);
// Durations "1h30m", counts, times of day in RFC 3339, priorities: not set unless given.
Declared add_time(CLI::App& app, const std::string& name, std::optional<Duration>& value,
                  const std::string& help);
Declared add_count(CLI::App& app, const std::string& name, std::optional<std::uint64_t>& value,
                   const std::string& help);
Declared add_wall(CLI::App& app, const std::string& name, std::optional<WallTime>& value,
                  const std::string& help);
Declared add_priority(CLI::App& app, std::optional<std::uint64_t>& value);

// A payload: not set unless given, and an empty one is one.
Declared add_payload(CLI::App& app, const std::string& name, std::optional<std::string>& value,
                     const std::string& kind, const std::string& help);

// By their place and not by a name. Not required unless said. Of one text: not empty, but a
// payload.
Declared add_argument(CLI::App& app, const std::string& name, std::string& value,
                      const std::string& help);
Declared add_payload(CLI::App& app, const std::string& name, std::string& value,
                     const std::string& help);
Declared add_arguments(CLI::App& app, const std::string& name, std::vector<std::string>& values,
                       const std::string& help);
Declared add_ids(CLI::App& app, std::vector<TaskId>& ids);

}  // namespace warmpool::cli
