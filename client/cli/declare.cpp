#include "client/cli/declare.hpp"

#include <algorithm>

#include <CLI/CLI.hpp>

#include "client/cli/format.hpp"
#include "pool/options.hpp"

namespace warmpool::cli {

namespace {

// What `parse` cannot read is a ValidationError, which ends with the status of usage.
template <class Value, class Parse>
Declared add(CLI::App& app, const std::string& name, std::optional<Value>& value, Parse parse,
             const std::string& kind, const std::string& help) {
  const auto set = [&value, parse, name](const std::string& text) {
    auto parsed = parse(text);
    if (!parsed) throw CLI::ValidationError(name, parsed.error().text);
    value = *parsed;
  };
  return Declared(app.add_option_function<std::string>(name, set, help)->type_name(kind));
}

// A variable of a script that was never set must not mean "all", or "any".
CLI::Option* not_empty(CLI::Option* option) {
  return option->check([](const std::string& text) {
    return text.empty() ? "it is empty; give a value, or leave it out" : "";
  });
}

CLI::Option* whole_number(CLI::Option* option) {
  return option->check([](const std::string& text) {
    return parse_count(text) ? "" : "\"" + text + "\" is no whole number";
  });
}

}  // namespace

Declared Declared::required() const {
  option_->required();
  return *this;
}

Declared Declared::excludes(Declared other) const {
  option_->excludes(other.option_);
  return *this;
}

Declared Declared::one_of(std::vector<std::string> words) const {
  option_->check([words = std::move(words)](const std::string& text) -> std::string {
    if (std::find(words.begin(), words.end(), text) != words.end()) return "";
    std::string known;
    for (const auto& word : words) known += (known.empty() ? "" : ", ") + word;
    return "\"" + text + "\" is none of " + known;
  });
  return *this;
}

Declared Declared::within(std::uint64_t minimum, std::uint64_t maximum) const {
  option_->check([minimum, maximum](const std::string& text) -> std::string {
    const auto number = parse_count(text);
    if (number && *number >= minimum && *number <= maximum) return "";
    return "\"" + text + "\" is no whole number from " + std::to_string(minimum) + " to " +
           std::to_string(maximum);
  });
  return *this;
}

Declared Declared::at_most(int count) const {
  option_->expected(0, count);
  return *this;
}

Declared Declared::checked(const std::function<std::string(const std::string&)>& check) const {
  option_->check(check);
  return *this;
}

Declared add_flag(CLI::App& app, const std::string& name, bool& value, const std::string& help) {
  return Declared(app.add_flag(name, value, help));
}

Declared add_text(CLI::App& app, const std::string& name, std::string& value,
                  const std::string& kind, const std::string& help) {
  return Declared(not_empty(app.add_option(name, value, help)->type_name(kind)));
}

Declared add_texts(CLI::App& app, const std::string& name, std::vector<std::string>& values,
                   const std::string& kind, const std::string& help) {
  return Declared(app.add_option(name, values, help)
                      ->type_name(kind)
                      ->expected(1)
                      ->allow_extra_args(false)
                      ->take_all());
}

Declared add_number(CLI::App& app, const std::string& name, std::uint64_t& value,
                    const std::string& kind, const std::string& help) {
  return Declared(whole_number(app.add_option(name, value, help)->type_name(kind)));
}

Declared add_time(CLI::App& app, const std::string& name, std::optional<Duration>& value,
                  const std::string& help) {
  return add(app, name, value, parse_duration, "TIME", help);
}

Declared add_count(CLI::App& app, const std::string& name, std::optional<std::uint64_t>& value,
                   const std::string& help) {
  return add(app, name, value, parse_count, "N", help);
}

Declared add_wall(CLI::App& app, const std::string& name, std::optional<WallTime>& value,
                  const std::string& help) {
  return add(app, name, value, parse_wall, "TIME", help);
}

Declared add_priority(CLI::App& app, std::optional<std::uint64_t>& value) {
  return add(app, "--priority", value, parse_priority, "N|P0|P1|P2",
             "0 runs first, 100 last; P0 is 0, P1 is 10, P2 is 100");
}

Declared add_payload(CLI::App& app, const std::string& name, std::optional<std::string>& value,
                     const std::string& kind, const std::string& help) {
  const auto take = [](const std::string& text) { return Result<std::string>(text); };
  return add(app, name, value, take, kind, help);
}

Declared add_argument(CLI::App& app, const std::string& name, std::string& value,
                      const std::string& help) {
  return Declared(not_empty(app.add_option(name, value, help)));
}

Declared add_payload(CLI::App& app, const std::string& name, std::string& value,
                     const std::string& help) {
  return Declared(app.add_option(name, value, help));
}

Declared add_arguments(CLI::App& app, const std::string& name, std::vector<std::string>& values,
                       const std::string& help) {
  return Declared(app.add_option(name, values, help));
}

Declared add_ids(CLI::App& app, std::vector<TaskId>& ids) {
  const auto set = [&ids](const std::vector<std::string>& texts) {
    for (const auto& text : texts) {
      const auto id = parse_id(text);
      if (!id) throw CLI::ValidationError("id", id.error().text);
      ids.push_back(TaskId{*id});
    }
  };
  return Declared(app.add_option_function<std::vector<std::string>>("id", set, "ids of tasks"));
}

}  // namespace warmpool::cli
