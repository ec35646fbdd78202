// Commands about dead letters.
#include <memory>

#include "client/cli/command.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/requests.hpp"

namespace warmpool::cli {

namespace {

constexpr std::string_view kColumns[] = {"id",       "type",    "cause",      "round",  "attempt",
                                         "failures", "crashes", "settled_at", "age_ms", "error"};

struct DeadList {
  std::string type;
  std::uint64_t limit = 100, after = 0;
};

struct DeadChange {
  std::vector<TaskId> ids;
  std::string type;
  bool all = false;

  int run(Context& context, ipc::Verb verb) const {
    if (ids.empty() && !all) {
      return context.fail(kUsage,
                          "name dead letters by their ids, or all of them with --all "
                          "(and --type); see: warmpool dlq ls");
    }
    if (!ids.empty() && (all || !type.empty())) {
      return context.fail(kUsage, "give either ids or --all with --type");
    }
    ipc::RequestMeta meta{.verb = verb};
    if (!ids.empty()) {
      std::vector<std::uint64_t> values;
      for (const TaskId id : ids) {
        values.push_back(id.value);
      }
      meta.arguments[0] = std::move(values);
    }
    if (!type.empty()) meta.arguments[1] = std::string_view(type);
    return ask_and_print(context, meta, {});
  }
};

Run declare_change(CLI::App& app, ipc::Verb verb) {
  auto command = std::make_shared<DeadChange>();
  add_ids(app, command->ids);
  add_flag(app, "--all", command->all, "all dead letters");
  add_text(app, "--type", command->type, "TYPE", "with --all: only of this type");
  return [command, verb](Context& context) { return command->run(context, verb); };
}

}  // namespace

Run declare_dlq_ls(CLI::App& app) {
  auto list = std::make_shared<DeadList>();
  add_text(app, "--type", list->type, "TYPE", "only of this type");
  add_number(app, "--limit", list->limit, "N", "at most so many [100]").within(1, 10'000);
  add_number(app, "--after", list->after, "ID", "only ids above this one: the next page");
  return [list](Context& context) {
    ipc::RequestMeta meta{.verb = ipc::Verb::DeadLs};
    if (!list->type.empty()) meta.arguments[0] = std::string_view(list->type);
    meta.arguments[1] = list->limit;
    meta.arguments[2] = list->after;
    return ask_and_print(context, meta, {"tasks", kColumns, "no dead letter"});
  };
}

Run declare_dlq_retry(CLI::App& app) { return declare_change(app, ipc::Verb::DeadRetry); }

Run declare_dlq_rm(CLI::App& app) { return declare_change(app, ipc::Verb::DeadRemove); }

}  // namespace warmpool::cli
