// One text and not a list, because what matters is the order: a person reads it from left to right
// as it is gone through, and a default can be written as it would be configured.
#include "pool/recovery_rules.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

namespace warmpool {
namespace {

constexpr std::uint32_t bit_of(ExitCause cause) {
  return std::uint32_t{1} << static_cast<unsigned>(cause);
}

// Of deaths that nobody wanted.
constexpr bool may_be_named(ExitCause cause) {
  return cause != ExitCause::Requested && cause != ExitCause::Shutdown;
}

constexpr std::uint32_t kAnyCause = [] {
  std::uint32_t all = 0;
  for (const auto& row : Words<ExitCause>::rows)
    all |= may_be_named(row.value) ? bit_of(row.value) : 0;
  return all;
}();
static_assert(Words<ExitCause>::rows.size() <= 32);

constexpr std::uint32_t kDeathsMax = 100;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

// Takes what stands before the first `mark`, or all; `text` keeps what is behind it.
std::string_view take_until(std::string_view& text, char mark) {
  const auto at = text.find(mark);
  const auto part = text.substr(0, at);
  text = at == std::string_view::npos ? std::string_view{} : text.substr(at + 1);
  return trimmed(part);
}

template <class Enum, class Wanted>
std::string listed(Wanted wanted) {
  std::string all;
  for (const auto& row : Words<Enum>::rows) {
    if (wanted(row.value)) all += (all.empty() ? "" : ", ") + std::string(row.name);
  }
  return all;
}

Error bad_rule(std::string_view rule, const std::string& why) {
  return {0, "'" + std::string(rule) + "': " + why};
}

Result<std::uint32_t> read_causes(std::string_view rule, std::string_view text) {
  std::uint32_t causes = 0;
  for (bool more = true; more;) {
    more = text.find('|') != std::string_view::npos;
    const auto name = take_until(text, '|');
    const auto cause = find_word<ExitCause>(name);
    if (name != "*" && (!cause || !may_be_named(*cause))) {
      return bad_rule(rule, "'" + std::string(name) +
                                "' is no cause of a death; give * for any, or some of these joined "
                                "by |: " +
                                listed<ExitCause>(may_be_named));
    }
    causes |= name == "*" ? kAnyCause : bit_of(*cause);
  }
  return causes;
}

// "x2"; nothing: any number.
std::optional<std::uint32_t> read_deaths(std::string_view text) {
  if (text.empty()) return 0;
  std::uint32_t deaths = 0;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), deaths);
  const bool whole = text[0] == 'x' && error == std::errc{} && end == text.data() + text.size();
  if (!whole || deaths == 0 || deaths > kDeathsMax) return std::nullopt;
  return deaths;
}

Result<RecoveryRule> read_rule(std::string_view text) {
  std::string_view rest = text;
  std::string_view when = take_until(rest, ':');
  const auto name = trimmed(rest);
  const auto strategy = find_word<RecoveryStrategy>(name);
  if (!strategy) {
    const auto all = listed<RecoveryStrategy>([](RecoveryStrategy) { return true; });
    return bad_rule(text, name.empty()
                              ? "give a cause, ':' and one of " + all
                              : "'" + std::string(name) + "' is no strategy; give one of " + all);
  }
  const auto blank = when.find_last_of(" \t\r\n");
  const bool counted = blank != std::string_view::npos && when[blank + 1] == 'x';
  const auto deaths = read_deaths(counted ? when.substr(blank + 1) : std::string_view{});
  if (!deaths) {
    return bad_rule(text, "'" + std::string(when.substr(blank + 1)) +
                              "' is no number of deaths in a row; give x1 to x100");
  }
  if (counted) when = trimmed(when.substr(0, blank));
  const auto causes = read_causes(text, when);
  if (!causes) return causes.error();
  return RecoveryRule{*causes, *deaths, *strategy};
}

// What is left for it when those before it have taken theirs.
bool can_apply(const RecoveryRules& before, const RecoveryRule& rule) {
  std::uint32_t left = rule.causes;
  for (const RecoveryRule& other : before) {
    if (other.deaths <= rule.deaths) left &= ~other.causes;
  }
  return left != 0;
}

}  // namespace

Result<RecoveryRules> parse_recovery(std::string_view text) {
  RecoveryRules rules;
  text = trimmed(text);
  for (bool more = !text.empty(); more;) {
    more = text.find(',') != std::string_view::npos;
    const auto one = take_until(text, ',');
    if (one.empty()) {
      return Error{0,
                   "a rule is empty; give rules as in 'memory: reset, wedged x2: recreate, *: "
                   "restart'"};
    }
    const auto rule = read_rule(one);
    if (!rule) return rule.error();
    if (!can_apply(rules, *rule)) {
      return bad_rule(one,
                      "it can never apply: the rules before it take all that it names; put it "
                      "before them");
    }
    rules.push_back(*rule);
  }
  return rules;
}

RecoveryStrategy choose_recovery(const RecoveryRules& rules, ExitCause cause,
                                 std::uint32_t deaths) {
  for (const RecoveryRule& rule : rules) {
    const bool named = (rule.causes & bit_of(cause)) != 0;
    if (named && deaths >= rule.deaths) return rule.strategy;
  }
  return RecoveryStrategy::Restart;
}

bool names_strategy(const RecoveryRules& rules, RecoveryStrategy strategy) {
  return std::ranges::any_of(rules,
                             [=](const RecoveryRule& rule) { return rule.strategy == strategy; });
}

}  // namespace warmpool
