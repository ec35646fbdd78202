// Options that every command which submits has.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/options.hpp"

namespace CLI {
class App;
}

namespace warmpool::cli {

struct TaskOptions {
  std::optional<std::uint64_t> priority, retries;
  std::optional<Duration> timeout, deadline, expiry;
  std::string tenant, durability = "full", content;
  std::vector<std::string> labels;

  // Order: must live as long as the parser.
  void declare(CLI::App& app);
  // `type` and `payload` with all that was given.
  client::SubmitOptions submit_options(std::string type, std::string payload) const;
};

}  // namespace warmpool::cli
