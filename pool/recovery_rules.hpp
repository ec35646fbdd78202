// Which strategy replaces a worker: a table in the configuration of its class, read from the top.
//   memory|out-of-memory: reset, wedged x2: recreate, *: restart
// The first rule applies that names the cause of the death (* any), once so many deaths in a row
// were of no use (x2 two; without it any number, also none).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "pool/recovery_words.hpp"
#include "pool/result.hpp"
#include "pool/worker_words.hpp"

namespace warmpool {

struct RecoveryRule {
  std::uint32_t causes = 0;  // a bit for each ExitCause
  std::uint32_t deaths = 0;  // in a row without use, at least
  RecoveryStrategy strategy{};
  friend constexpr bool operator==(const RecoveryRule&, const RecoveryRule&) = default;
};

using RecoveryRules = std::vector<RecoveryRule>;

// An empty text has no rule. Errors: the rule that is wrong and what may be given; a rule that can
// never apply, because one before it takes all that it names.
Result<RecoveryRules> parse_recovery(std::string_view text);

// Restart where no rule applies.
RecoveryStrategy choose_recovery(const RecoveryRules& rules, ExitCause cause, std::uint32_t deaths);

bool names_strategy(const RecoveryRules& rules, RecoveryStrategy strategy);

}  // namespace warmpool
