// Why a task waits, read off the daemon's documents, and what would change it.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace warmpool::cli {

// What is looked at: the replies to show, types, workers and status.
struct Look {
  const nlohmann::json& task;
  const nlohmann::json& types;
  const nlohmann::json& workers;
  const nlohmann::json& status;
};

struct Reason {
  std::string rule;    // one word, for programs
  std::string detail;  // what is so
  std::string change;  // what would make it otherwise
};

// What weighs most comes first. Empty: it does not wait.
std::vector<Reason> reasons_of(const Look& look);

}  // namespace warmpool::cli
