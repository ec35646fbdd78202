// One table for each owner, and generic code over the rows. A row holds a pointer to its member, so
// that no switch over names exists anywhere: help, TOML, command line and docs walk the rows.
#include "pool/options.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <type_traits>

#include "pool/health.hpp"
#include "pool/recovery_rules.hpp"
#include "pool/task_memory.hpp"

namespace warmpool {
namespace {

using K = OptionKind;

constexpr std::array kPoolRows{
#include "pool/options_pool.inc"
};

constexpr std::array kClassRows{
#include "pool/options_class.inc"
};

constexpr std::array kTypeRows{
#include "pool/options_type.inc"
};

Error bad(std::string_view name, std::string_view text, std::string_view allowed) {
  return {0, std::string(name) + " = '" + std::string(text) + "': " + std::string(allowed)};
}

std::string range_text(std::string_view minimum, std::string_view maximum, std::string_view what) {
  return "give " + std::string(what) + " from " + std::string(minimum) + " to " +
         std::string(maximum);
}

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

constexpr std::array<Unit, 7> kTimeUnits{{{"ns", 1},
                                          {"us", 1'000},
                                          {"ms", 1'000'000},
                                          {"s", 1'000'000'000},
                                          {"m", 60'000'000'000},
                                          {"h", 3'600'000'000'000},
                                          {"d", 86'400'000'000'000}}};
constexpr std::array<Unit, 8> kByteUnits{{{"", 1},
                                          {"B", 1},
                                          {"KiB", 1LL << 10},
                                          {"MiB", 1LL << 20},
                                          {"GiB", 1LL << 30},
                                          {"kB", 1'000},
                                          {"MB", 1'000'000},
                                          {"GB", 1'000'000'000}}};

struct Part {
  std::uint64_t number;
  std::string_view unit;
  std::size_t length;
};

// A number and the letters after it. Errors: nullopt where there is no number or it is too large.
std::optional<Part> read_part(std::string_view text) {
  Part part{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), part.number);
  if (error != std::errc{}) return std::nullopt;
  const auto digits = static_cast<std::size_t>(end - text.data());
  std::size_t length = digits;
  while (length < text.size() && (text[length] < '0' || text[length] > '9')) ++length;
  part.unit = text.substr(digits, length - digits);
  part.length = length;
  return part;
}

template <std::size_t N>
const Unit* find_unit(const std::array<Unit, N>& units, std::string_view name) {
  const auto* found = std::ranges::find(units, name, &Unit::name);
  return found == units.end() ? nullptr : found;
}

Result<bool> parse_flag(std::string_view text) {
  if (text == "true" || text == "on" || text == "yes" || text == "1") return true;
  if (text == "false" || text == "off" || text == "no" || text == "0") return false;
  return Error{0, "give true or false"};
}

bool is_choice(std::string_view choices, std::string_view text) {
  while (!choices.empty()) {
    const auto bar = choices.find('|');
    if (choices.substr(0, bar) == text) return true;
    choices = bar == std::string_view::npos ? std::string_view{} : choices.substr(bar + 1);
  }
  return false;
}

constexpr std::string_view kUnlimitedWord = "unlimited";

// What `parse` reads; where the row allows it, also "unlimited".
template <class Value, class Parse>
Result<Value> parse_or_unlimited(std::string_view text, std::string_view maximum, Value unlimited,
                                 Parse parse) {
  if (maximum == kUnlimitedWord && text == kUnlimitedWord) return unlimited;
  return parse(text);
}

// Empty text unsets it.
template <class Owner, class Value, class Parse>
Result<void> set_optional(Owner& owner, std::optional<Value> Owner::*field,
                          const OptionRow<Owner>& row, std::string_view text, Value unlimited,
                          Parse parse, std::string_view what) {
  if (text.empty()) {
    (owner.*field).reset();
    return {};
  }
  const auto read = [&](std::string_view one) {
    return parse_or_unlimited<Value>(one, row.maximum, unlimited, parse);
  };
  const auto value = read(text);
  if (!value) return bad(row.name, text, value.error().text);
  if (*value < *read(row.minimum) || *value > *read(row.maximum)) {
    return bad(row.name, text, range_text(row.minimum, row.maximum, what));
  }
  owner.*field = *value;
  return {};
}

template <class Owner>
Result<void> set_optional(Owner& owner, std::optional<std::uint64_t> Owner::*field,
                          const OptionRow<Owner>& row, std::string_view text) {
  if (row.kind == K::Bytes) {
    return set_optional(owner, field, row, text, kUnlimited, parse_bytes, "a size with unit");
  }
  return set_optional(owner, field, row, text, kUnlimited, parse_count, "a whole number");
}

template <class Owner>
Result<void> set_optional_flag(Owner& owner, std::optional<bool> Owner::*field,
                               const OptionRow<Owner>& row, std::string_view text) {
  (owner.*field).reset();
  if (text.empty()) return {};
  const auto flag = parse_flag(text);
  if (!flag) return bad(row.name, text, flag.error().text);
  owner.*field = *flag;
  return {};
}

template <class Owner, class Value, class Parse>
Result<void> set_number(Owner& owner, Value Owner::*field, const OptionRow<Owner>& row,
                        std::string_view text, Parse parse, std::string_view what) {
  const auto value = parse(text);
  if (!value) return bad(row.name, text, value.error().text);
  if (*value < *parse(row.minimum) || *value > *parse(row.maximum)) {
    return bad(row.name, text, range_text(row.minimum, row.maximum, what));
  }
  owner.*field = *value;
  return {};
}

template <class Owner>
Result<void> set_count_or_bytes(Owner& owner, std::uint64_t Owner::*field,
                                const OptionRow<Owner>& row, std::string_view text) {
  if (row.kind == K::Bytes) {
    return set_number(owner, field, row, text, parse_bytes, "a size with unit");
  }
  return set_number(owner, field, row, text, parse_count, "a whole number");
}

template <class Owner>
Result<void> set_text(Owner& owner, std::string Owner::*field, const OptionRow<Owner>& row,
                      std::string_view text) {
  if (row.kind == K::Choice && !is_choice(row.minimum, text)) {
    return bad(row.name, text, "give one of " + std::string(row.minimum));
  }
  if (text.find('\0') != std::string_view::npos) return bad(row.name, text, "holds a NUL byte");
  if (row.kind == K::Mask) {
    if (auto mask = parse_mask(text); !mask) return bad(row.name, text, mask.error().text);
  }
  if (row.kind == K::Cpus && !text.empty()) {
    if (auto cpus = parse_cpus(text); !cpus) return bad(row.name, text, cpus.error().text);
  }
  if (row.kind == K::Need) {
    if (auto need = parse_task_memory(text); !need) return bad(row.name, text, need.error().text);
  }
  if (row.kind == K::Rules) {
    if (auto rules = parse_recovery(text); !rules) return bad(row.name, text, rules.error().text);
  }
  owner.*field = std::string(text);
  return {};
}

template <class Owner>
Result<void> set_row(Owner& owner, const OptionRow<Owner>& row, std::string_view text) {
  return std::visit(
      [&](auto field) -> Result<void> {
        using Value = std::remove_reference_t<decltype(owner.*field)>;
        if constexpr (std::is_same_v<Value, Duration>) {
          return set_number(owner, field, row, text, parse_duration, "a time with unit");
        } else if constexpr (std::is_same_v<Value, std::uint64_t>) {
          return set_count_or_bytes(owner, field, row, text);
        } else if constexpr (std::is_same_v<Value, bool>) {
          const auto flag = parse_flag(text);
          if (!flag) return bad(row.name, text, flag.error().text);
          owner.*field = *flag;
          return {};
        } else if constexpr (std::is_same_v<Value, std::optional<bool>>) {
          return set_optional_flag(owner, field, row, text);
        } else if constexpr (std::is_same_v<Value, std::string>) {
          return set_text(owner, field, row, text);
        } else if constexpr (std::is_same_v<Value, std::optional<std::uint64_t>>) {
          return set_optional(owner, field, row, text);
        } else if constexpr (std::is_same_v<Value, std::optional<std::int64_t>>) {
          return set_optional(owner, field, row, text, std::int64_t{0}, parse_signed,
                              "a whole number");
        } else if constexpr (std::is_same_v<Value, std::optional<Duration>>) {
          return set_optional(owner, field, row, text, kDurationMax, parse_duration,
                              "a time with unit");
        } else {
          (owner.*field).emplace_back(text);
          return {};
        }
      },
      row.field);
}

template <class Owner>
Result<void> set_named(Owner& owner, std::span<const OptionRow<Owner>> rows, std::string_view name,
                       std::string_view text) {
  for (const auto& row : rows) {
    if (row.name == name) return set_row(owner, row, text);
  }
  return Error{0, "there is no option '" + std::string(name) + "'; see: warmpoold --help"};
}

template <class Owner>
Owner defaults(std::span<const OptionRow<Owner>> rows) {
  Owner owner;
  for (const auto& row : rows) {
    if (row.kind == K::Texts && row.default_text.empty()) continue;
    const auto set = set_row(owner, row, row.default_text);
    REQUIRE(static_cast<bool>(set));
  }
  return owner;
}

std::string join(const std::vector<std::string>& texts) {
  std::string all;
  for (const auto& text : texts) all += (all.empty() ? "" : " ") + text;
  return all;
}

std::string value_text(Duration value, OptionKind) { return duration_text(value); }
std::string value_text(bool value, OptionKind) { return value ? "true" : "false"; }
std::string value_text(const std::string& value, OptionKind) { return value; }
std::string value_text(const std::vector<std::string>& value, OptionKind) { return join(value); }
std::string value_text(std::int64_t value, OptionKind) { return std::to_string(value); }
std::string value_text(std::uint64_t value, OptionKind kind) {
  return kind == K::Bytes ? bytes_text(value) : std::to_string(value);
}

template <class Value>
std::string value_text(const std::optional<Value>& value, OptionKind kind) {
  if (!value) return "";
  bool unlimited = false;
  if constexpr (std::is_same_v<Value, std::uint64_t>) unlimited = *value == kUnlimited;
  if constexpr (std::is_same_v<Value, Duration>) unlimited = *value == kDurationMax;
  return unlimited ? std::string(kUnlimitedWord) : value_text(*value, kind);
}

template <class Owner>
std::string text_of(const Owner& owner, const OptionRow<Owner>& row) {
  return std::visit([&](auto field) { return value_text(owner.*field, row.kind); }, row.field);
}

}  // namespace

std::span<const OptionRow<Options>> pool_option_rows() { return kPoolRows; }
std::span<const OptionRow<ClassOptions>> class_option_rows() { return kClassRows; }
std::span<const OptionRow<TypeOptions>> type_option_rows() { return kTypeRows; }

Options default_options() { return defaults(pool_option_rows()); }
ClassOptions default_class_options() { return defaults(class_option_rows()); }

Result<void> set_option(Options& options, std::string_view name, std::string_view text) {
  return set_named(options, pool_option_rows(), name, text);
}

Result<void> set_option(ClassOptions& options, std::string_view name, std::string_view text) {
  return set_named(options, class_option_rows(), name, text);
}

Result<void> set_option(TypeOptions& options, std::string_view name, std::string_view text) {
  return set_named(options, type_option_rows(), name, text);
}

std::string option_text(const Options& options, const OptionRow<Options>& row) {
  return text_of(options, row);
}

std::string option_text(const ClassOptions& options, const OptionRow<ClassOptions>& row) {
  return text_of(options, row);
}

std::string option_text(const TypeOptions& options, const OptionRow<TypeOptions>& row) {
  return text_of(options, row);
}

Result<void> check_options(const Options& options) {
  const auto need = [](bool holds, std::string text) -> Result<void> {
    if (holds) return {};
    return Error{0, std::move(text)};
  };
  const auto name = [](std::string_view what, Duration value) {
    return std::string(what) + " (" + duration_text(value) + ")";
  };
  if (auto ok =
          need(options.unresponsive_after > options.heartbeat_interval,
               name("unresponsive_after", options.unresponsive_after) + " must be more than " +
                   name("heartbeat_interval", options.heartbeat_interval));
      !ok) {
    return ok;
  }
  if (auto ok = need(options.dead_after > options.unresponsive_after,
                     name("dead_after", options.dead_after) + " must be more than " +
                         name("unresponsive_after", options.unresponsive_after));
      !ok) {
    return ok;
  }
  return need(options.backoff_max >= options.backoff_first,
              name("backoff_max", options.backoff_max) + " must be at least " +
                  name("backoff_first", options.backoff_first));
}

namespace {

std::string pair(std::string_view name, std::uint64_t value) {
  return std::string(name) + " (" + std::to_string(value) + ")";
}

Result<void> check_recovery(const ClassOptions& options) {
  const auto rules = parse_recovery(options.recovery);
  if (!rules) return rules.error();
  if (options.recovery_command.empty() && names_strategy(*rules, RecoveryStrategy::Custom)) {
    return Error{0, "recovery names custom, which runs recovery_command: set that too"};
  }
  if (options.recovery_cooldown_max < options.recovery_cooldown) {
    return Error{0, "recovery_cooldown_max (" + duration_text(options.recovery_cooldown_max) +
                        ") must be at least recovery_cooldown (" +
                        duration_text(options.recovery_cooldown) + ")"};
  }
  return {};
}

// Where it died it would die again.
Result<void> check_next_classes(const ClassOptions& options) {
  for (const auto& [name, next] :
       {std::pair("retry_memory_class", &options.retry_memory_class),
        std::pair("retry_timeout_class", &options.retry_timeout_class)}) {
    if (*next != options.name) continue;
    return Error{0, std::string(name) +
                        " names the class itself; name another one, with more memory or time, or "
                        "leave it out"};
  }
  return {};
}

Result<void> check_directory(const ClassOptions& options) {
  if (options.directory == "kept" && !options.working_directory.empty()) {
    return Error{0, "a worker starts in its kept directory or in working_directory (" +
                        options.working_directory + "), not in both; leave one of them out"};
  }
  const bool has_commands = !options.directory_prepare.empty() || !options.directory_clean.empty();
  if (options.directory == "none" && has_commands) {
    return Error{0,
                 "directory_prepare and directory_clean are of directories that the daemon makes; "
                 "give directory = \"kept\" or \"fresh\", or leave them out"};
  }
  return {};
}

Result<void> check_sizes(const ClassOptions& options) {
  if (options.size_min > options.size_max || options.size < options.size_min ||
      options.size > options.size_max) {
    return Error{0, pair("size", options.size) + " must be within " +
                        pair("size_min", options.size_min) + " and " +
                        pair("size_max", options.size_max)};
  }
  if (options.credits && *options.credits < options.concurrency) {
    return Error{0, pair("credits", *options.credits) + " must be at least " +
                        pair("concurrency", options.concurrency)};
  }
  const auto hard = options.memory_hard.value_or(0);
  if (hard != 0 && hard < options.memory_soft) {
    return Error{0, "memory_hard (" + bytes_text(hard) + ") must be at least memory_soft (" +
                        bytes_text(options.memory_soft) + "); lower memory_soft, or set it to 0"};
  }
  return {};
}

}  // namespace

// Only what was measured as short is given ahead, so that costs nothing where tasks are long. But
// who wants each task to find a process and a directory of its own wants nothing in hand behind it.
std::uint64_t credits_of(const ClassOptions& options) {
  constexpr std::uint64_t ahead = 16;
  const bool one_by_one =
      options.descendants == "kill" || options.directory == "fresh" || options.max_tasks == 1;
  return options.credits.value_or(one_by_one ? options.concurrency
                                             : std::max(ahead, options.concurrency));
}

Result<void> check_options(const ClassOptions& options) {
  if (options.name.empty()) return Error{0, "a worker class needs a name"};
  if (options.command.empty()) {
    return Error{0, "worker class '" + options.name + "' needs a command"};
  }
  for (const auto check :
       {check_sizes, check_health, check_recovery, check_directory, check_next_classes}) {
    if (auto checked = check(options); !checked) {
      return Error{0, "worker class '" + options.name + "': " + checked.error().text};
    }
  }
  return {};
}

Result<Duration> parse_duration(std::string_view text) {
  const Error wrong{0, "give a time with unit, such as 500ms, 5s, 1h30m (ns us ms s m h d)"};
  if (text == "0") return Duration{};
  if (text.empty()) return wrong;
  std::int64_t total = 0;
  while (!text.empty()) {
    const auto part = read_part(text);
    const Unit* unit = part ? find_unit(kTimeUnits, part->unit) : nullptr;
    if (unit == nullptr) return wrong;
    const auto room = static_cast<std::uint64_t>((kDurationMax.ns - total) / unit->factor);
    if (part->number > room) return Error{0, "a time is at most 10 years (3660d)"};
    total += static_cast<std::int64_t>(part->number) * unit->factor;
    text.remove_prefix(part->length);
  }
  return Duration{total};
}

Result<std::uint64_t> parse_bytes(std::string_view text) {
  const auto part = text.empty() ? std::nullopt : read_part(text);
  const Unit* unit =
      part && part->length == text.size() ? find_unit(kByteUnits, part->unit) : nullptr;
  if (unit == nullptr) {
    return Error{0, "give a size, such as 512MiB (B KiB MiB GiB kB MB GB)"};
  }
  constexpr auto most = std::uint64_t{1} << 60;
  const auto factor = static_cast<std::uint64_t>(unit->factor);
  if (part->number > most / factor) return Error{0, "a size is at most 2^60 bytes"};
  return part->number * factor;
}

Result<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) {
    return Error{0, "give a whole number"};
  }
  return number;
}

Result<std::int64_t> parse_signed(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) {
    return Error{0, "give a whole number"};
  }
  return number;
}

Result<unsigned> parse_mask(std::string_view text) {
  unsigned mask = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mask, 8);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  if (!whole || text.size() != 3) return Error{0, "give three octal digits, such as 077"};
  return mask;
}

Result<std::vector<int>> parse_cpus(std::string_view text) {
  constexpr int cpu_max = 1023;
  const Error wrong{0, "give CPU numbers and ranges up to 1023, such as 0-3,8"};
  std::vector<int> cpus;
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  const auto read = [&](int& number) {
    const auto [after, error] = std::from_chars(at, end, number);
    const bool good = error == std::errc{} && number >= 0 && number <= cpu_max && *at != '-';
    at = after;
    return good;
  };
  while (true) {
    int first = 0;
    if (at == end || !read(first)) return wrong;
    int last = first;
    if (at != end && *at == '-' && (++at == end || !read(last) || last < first)) return wrong;
    for (int cpu = first; cpu <= last; ++cpu) cpus.push_back(cpu);
    if (at == end) break;
    if (*at++ != ',') return wrong;
  }
  std::ranges::sort(cpus);
  cpus.erase(std::unique(cpus.begin(), cpus.end()), cpus.end());
  return cpus;
}

std::string duration_text(Duration duration) {
  if (duration.ns == 0) return "0s";
  const Unit* best = &kTimeUnits.front();
  for (const auto& unit : kTimeUnits) {
    if (duration.ns % unit.factor == 0) best = &unit;
  }
  return std::to_string(duration.ns / best->factor) + std::string(best->name);
}

std::string bytes_text(std::uint64_t bytes) {
  for (const auto* name : {"GiB", "MiB", "KiB"}) {
    const auto factor = static_cast<std::uint64_t>(find_unit(kByteUnits, name)->factor);
    if (bytes != 0 && bytes % factor == 0) return std::to_string(bytes / factor) + name;
  }
  return std::to_string(bytes);
}

}  // namespace warmpool
