#include "client/cli/dead_filter.hpp"

#include "client/cli/declare.hpp"
#include "pool/words.hpp"

namespace warmpool::cli {

void DeadFilter::declare(CLI::App& app) {
  std::vector<std::string> causes;
  for (const auto& row : Words<EndCause>::rows) causes.emplace_back(row.name);
  add_text(app, "--type", type, "TYPE", "only of this type");
  add_text(app, "--cause", cause, "CAUSE", "only those whose last attempt ended so")
      .one_of(std::move(causes));
  add_time(app, "--older", older, "only those that died longer ago");
  add_text(app, "--text", text, "TEXT", "only with this in the error, the key or a label");
}

void DeadFilter::put(ipc::RequestMeta& meta, std::size_t at, std::size_t rest) const {
  if (!type.empty()) meta.arguments[at] = std::string_view(type);
  if (!cause.empty()) meta.arguments[rest] = std::string_view(cause);
  if (older) meta.arguments[rest + 1] = static_cast<std::uint64_t>(older->ns);
  if (!text.empty()) meta.arguments[rest + 2] = std::string_view(text);
}

}  // namespace warmpool::cli
