// Why a task waits, read off the daemon's documents, and what would change it.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "client/cli/why_rules.hpp"

namespace warmpool::cli {

// What is looked at: the replies to show, types, workers, status and breakers.
struct Look {
  const nlohmann::json& task;
  const nlohmann::json& types;
  const nlohmann::json& workers;
  const nlohmann::json& status;
  const nlohmann::json& breakers;
};

struct Reason {
  Rule rule;
  std::string detail;  // what is so
  std::string change;  // what would make it otherwise
};

// What weighs most comes first. Empty: it does not wait.
std::vector<Reason> reasons_of(const Look& look);
// Of one that does not wait: where it is, and what can be done about it.
std::string elsewhere(const nlohmann::json& task);

}  // namespace warmpool::cli
