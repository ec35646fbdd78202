// "--workers 2" must work although the built-in minimum is 5; "size_min = 5" with "size = 2" must
// not, because then somebody said both.
#include "daemon/config/sizes.hpp"

#include <algorithm>

#include "daemon/alerts/alert_table.hpp"
#include "daemon/config/apply.hpp"
#include "daemon/names.hpp"

namespace warmpool::daemon {
namespace {

// Workers of all classes together; the core's table of slots has 65,535 places, and each of them
// may have a successor beside it.
constexpr std::uint64_t kSizeTotalMax = 32'000;
// Of one class; a type has at most 8 classes to choose from.
constexpr std::size_t kClassesMax = 256;
// Each new type is compared with the patterns of all.
constexpr std::size_t kTypeTablesMax = 4'096;

void move_size(Sourced<ClassOptions>& worker_class, const char* name,
               std::uint64_t ClassOptions::*field, std::uint64_t value, const std::string& why,
               std::vector<std::string>& notes) {
  auto& number = worker_class.values.*field;
  if (number == value) return;
  notes.push_back("class '" + worker_class.values.name + "': " + name + " moved from " +
                  std::to_string(number) + " to " + std::to_string(value) + " to fit " + why);
  number = value;
  worker_class.origins[name] = {Layer::Adjusted, "to fit " + why};
}

// The origin of an option that the text of an error names, as ("name: origin").
template <class Owner>
Origin origin_of_fault(const Sourced<Owner>& sourced, std::string& text) {
  Origin first;
  for (const auto& [name, origin] : sourced.origins) {
    if (text.find(name) == std::string::npos) continue;
    if (first.layer == Layer::BuiltIn) {
      first = origin;
    } else {
      text += " (" + name + ": " + origin_text(origin) + ")";
    }
  }
  return first;
}

template <class Owner>
Origin origin_of(const Sourced<Owner>& sourced, std::string_view option) {
  auto at = sourced.origins.find(option);
  if (at == sourced.origins.end()) at = sourced.origins.find("name");
  return at == sourced.origins.end() ? Origin{} : at->second;
}

void check_class(const Sourced<ClassOptions>& worker_class, Problems& problems) {
  const auto& options = worker_class.values;
  if (auto ok = check_options(options); !ok) {
    auto text = ok.error().text;
    auto origin = origin_of_fault(worker_class, text);
    if (origin.layer == Layer::BuiltIn) origin = origin_of(worker_class, "name");
    problems.push_back({origin, std::move(text)});
  }
  const Origin origin = origin_of(worker_class, "name");
  if (options.types.empty()) {
    problems.push_back({origin, "class '" + options.name +
                                    "' serves no types: say which, as in types = [\"image.*\"]"});
  }
  for (const auto& type : options.types) {
    if (!type.empty() && type.size() <= 255) continue;
    problems.push_back({origin_of(worker_class, "types"),
                        "class '" + options.name + "': a type has 1 to 255 bytes"});
  }
  for (const auto& name : options.preload) {
    if (!name.empty() && name.find(',') == std::string::npos) continue;
    problems.push_back(
        {origin_of(worker_class, "preload"),
         "class '" + options.name + "': a name in preload is not empty and has no comma"});
  }
  for (const auto& pair : options.environment) {
    if (pair.find('=') != std::string::npos && pair.front() != '=') continue;
    problems.push_back({origin_of(worker_class, "environment"),
                        "class '" + options.name +
                            "': environment is a list of texts NAME=VALUE, and one of them has no "
                            "name or no ="});
  }
}

}  // namespace

void fit_sizes(Sourced<ClassOptions>& worker_class, std::vector<std::string>& notes) {
  const auto given = [&](const char* name) { return worker_class.origins.contains(name); };
  auto& options = worker_class.values;
  if (!given("size") && given("size_min")) {
    move_size(worker_class, "size", &ClassOptions::size, std::max(options.size, options.size_min),
              "size_min", notes);
  }
  if (!given("size") && given("size_max")) {
    move_size(worker_class, "size", &ClassOptions::size, std::min(options.size, options.size_max),
              "size_max", notes);
  }
  if (!given("size_min")) {
    move_size(worker_class, "size_min", &ClassOptions::size_min,
              std::min(options.size_min, options.size), "size", notes);
  }
  if (!given("size_max")) {
    move_size(worker_class, "size_max", &ClassOptions::size_max,
              std::max(options.size_max, options.size), "size", notes);
  }
}

namespace {

// What could never fit would wait for ever.
void check_memory(const Configuration& configuration, Problems& problems) {
  const std::uint64_t most = configuration.pool.values.memory_total;
  for (const auto& worker_class : configuration.classes) {
    const auto& options = worker_class.values;
    const std::uint64_t needed = options.size * options.memory_declared;
    if (most == 0 || needed <= most) continue;
    problems.push_back(
        {origin_of(worker_class, "memory_declared"),
         "class '" + options.name + "': memory_declared (" + bytes_text(options.memory_declared) +
             ") of " + std::to_string(options.size) + " workers (size) is " + bytes_text(needed) +
             ", more than memory_total (" + bytes_text(most) + ")"});
  }
}

// Whether all that fits the second fits the first too. A byte that no name has stands for what '?'
// takes, and two or none of it for what '*' takes.
bool covers(std::string_view pattern, std::string_view other) {
  for (const std::string_view star : {"", "\x01", "\x01\x01"}) {
    std::string name;
    for (const char byte : other) {
      if (byte == '*') name += star;
      if (byte == '?') name += '\x01';
      if (byte != '*' && byte != '?') name += byte;
    }
    if (!matches_pattern(pattern, name)) return false;
  }
  return true;
}

using ClassName = std::string ClassOptions::*;

// A task that died in a class goes on in another, which must be there and able to run it.
void check_next_class(const Configuration& configuration, const Sourced<ClassOptions>& from,
                      std::string_view option, ClassName field, Problems& problems) {
  const auto& name = from.values.*field;
  if (name.empty() || name == from.values.name) return;  // itself: see check_options
  const auto fault = [&](const std::string& text) {
    problems.push_back({origin_of(from, option), "class '" + from.values.name +
                                                     "': " + std::string(option) + " = '" + name +
                                                     "': " + text});
  };
  std::string known;
  const ClassOptions* next = nullptr;
  for (const auto& worker_class : configuration.classes) {
    if (worker_class.brought) continue;
    known += (known.empty() ? "" : ", ") + worker_class.values.name;
    if (worker_class.values.name == name) next = &worker_class.values;
  }
  if (next == nullptr) return fault("there is no such [[class]]; there are: " + known);
  for (const auto& type : from.values.types) {
    const auto serves = [&](const std::string& pattern) { return covers(pattern, type); };
    if (std::ranges::any_of(next->types, serves)) continue;
    fault("that class does not serve '" + type + "', which this one serves; add it to its types");
  }
}

void check_next_classes(const Configuration& configuration, Problems& problems) {
  for (const auto& worker_class : configuration.classes) {
    check_next_class(configuration, worker_class, "retry_memory_class",
                     &ClassOptions::retry_memory_class, problems);
    check_next_class(configuration, worker_class, "retry_timeout_class",
                     &ClassOptions::retry_timeout_class, problems);
  }
}

}  // namespace

void check_classes(const Configuration& configuration, Problems& problems) {
  std::uint64_t total = 0;
  check_memory(configuration, problems);
  check_next_classes(configuration, problems);
  for (const auto& worker_class : configuration.classes) {
    check_class(worker_class, problems);
    total += worker_class.values.size_max;
  }
  if (configuration.classes.size() > kClassesMax) {
    problems.push_back({{}, "there are more than 256 worker classes; join some"});
  }
  if (total > kSizeTotalMax) {
    problems.push_back({{},
                        "size_max of all classes together is " + std::to_string(total) +
                            ", at most " + std::to_string(kSizeTotalMax) +
                            " workers fit in one pool; lower some"});
  }
}

namespace {

void check_alerts(const Configuration& configuration, Problems& problems) {
  const auto& options = configuration.pool.values;
  if (const auto unknown = unknown_alert(options.alerts_off)) {
    std::string known;
    for (const auto& row : alert_rows()) known.append(" ").append(row.name);
    problems.push_back({origin_of(configuration.pool, "alerts_off"),
                        "alerts_off: there is no alert '" + *unknown + "'; there are:" + known});
  }
  const auto& url = options.alert_webhook;
  if (!url.empty() && !url.starts_with("http://") && !url.starts_with("https://")) {
    problems.push_back(
        {origin_of(configuration.pool, "alert_webhook"),
         "alert_webhook = '" + url + "': give a URL that begins with http:// or https://"});
  }
}

}  // namespace

void check_pool(const Configuration& configuration, Problems& problems) {
  check_alerts(configuration, problems);
  auto ok = check_options(configuration.pool.values);
  if (ok) ok = check_options(breaker_options(configuration.pool.values));
  if (ok) return;
  std::string text = ok.error().text;
  const auto origin = origin_of_fault(configuration.pool, text);
  problems.push_back({origin, std::move(text)});
}

// What a type does not say is the pool's, so that together they may be wrong.
void check_types(const Configuration& configuration, Problems& problems) {
  const auto& pool = configuration.pool;
  const bool pool_fits = static_cast<bool>(check_options(breaker_options(pool.values)));
  for (const auto& type : configuration.types) {
    const auto ok = check_options(breaker_options(pool.values, type.values));
    if (ok || !pool_fits) continue;
    std::string text = ok.error().text;
    auto origin = origin_of_fault(type, text);
    if (origin.layer == Layer::BuiltIn) origin = origin_of_fault(pool, text);
    problems.push_back({origin, "type '" + type.values.name + "': " + text});
  }
  if (configuration.types.size() > kTypeTablesMax) {
    problems.push_back(
        {{}, "there are more than 4096 tables [[type]]; join some by patterns with * and ?"});
  }
}

}  // namespace warmpool::daemon
