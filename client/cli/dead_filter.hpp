// Which dead letters a command is about.
#pragma once

#include <optional>
#include <string>

#include "ipc/metas.hpp"
#include "pool/time.hpp"

namespace CLI {
class App;
}

namespace warmpool::cli {

struct DeadFilter {
  std::string type, cause, text;
  std::optional<Duration> older;

  // Order: must live as long as the parser.
  void declare(CLI::App& app);
  bool empty() const { return type.empty() && cause.empty() && text.empty() && !older; }
  // Puts the type at `at` and the others at `rest` and behind it. Order: outlives `meta`.
  void put(ipc::RequestMeta& meta, std::size_t at, std::size_t rest) const;
};

}  // namespace warmpool::cli
