// Commands about dead letters.
#include <algorithm>
#include <memory>

#include <nlohmann/json.hpp>

#include "client/cli/command.hpp"
#include "client/cli/dead_filter.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/input.hpp"
#include "client/cli/json_text.hpp"
#include "client/cli/members.hpp"
#include "client/cli/requests.hpp"

namespace warmpool::cli {

namespace {

constexpr std::string_view kColumns[] = {"id",       "type",    "cause",      "round",  "attempt",
                                         "failures", "crashes", "settled_at", "age_ms", "error"};

struct DeadList {
  DeadFilter filter;
  std::uint64_t limit = 100, after = 0;
};

struct DeadChange {
  std::vector<TaskId> ids;
  DeadFilter filter;
  bool all = false;

  void declare(CLI::App& app) {
    add_ids(app, ids);
    add_flag(app, "--all", all, "all dead letters, or all that fit");
    filter.declare(app);
  }

  // What is wrong with the words, or nothing.
  std::string fault() const {
    if (ids.empty() && !all) {
      return "name dead letters by their ids, or all that fit with --all; see: warmpool dlq ls";
    }
    if (!ids.empty() && (all || !filter.empty())) {
      return "give either ids or --all with what they must fit";
    }
    return {};
  }

  int run(Context& context, ipc::Verb verb) const {
    if (const auto wrong = fault(); !wrong.empty()) return context.fail(kUsage, wrong);
    ipc::RequestMeta meta{.verb = verb};
    if (!ids.empty()) {
      std::vector<std::uint64_t> values;
      for (const TaskId id : ids) values.push_back(id.value);
      meta.arguments[0] = std::move(values);
    }
    filter.put(meta, 1, 2);
    auto client = context.connect();
    if (!client) return context.fail(client.error());
    auto document = client->request(meta, ipc::kNoDeadline);  // new rounds have a rate
    // Of one alone as of many: it is the letter that is damaged.
    if (!document && document.error().code == static_cast<int>(Refusal::Damaged)) {
      return context.fail(kFailed, document.error().text);
    }
    if (!document) return context.fail(document.error());
    const int printed = print_document(context, *document, {});
    return std::max(printed, say_refused(context, *document));
  }

  // Those that were refused, the first of them by name: kFailed if there are any.
  static int say_refused(Context& context, const std::string& document) {
    const auto parsed = nlohmann::json::parse(document, nullptr, false);
    if (!parsed.is_object() || parsed.value("refused", 0U) == 0) return kOk;
    const auto refusals = parsed.find("refusals");
    if (refusals == parsed.end() || !refusals->is_array()) return kFailed;
    for (const auto& refusal : *refusals) context.fail(kFailed, text_of(refusal, "text"));
    return kFailed;
  }
};

// A new round of one letter with another payload.
struct Edit {
  std::optional<std::string> payload{};  // an empty one is one
  std::string file{}, content{};         // content empty: what it was

  bool wanted() const { return payload || !file.empty(); }

  int run(Context& context, TaskId task) const {
    auto client = context.connect();
    if (!client) return context.fail(client.error());
    auto bytes = read(context, client->daemon().payload_bytes_max);
    if (!bytes) return context.fail(kFailed, bytes.error().text);
    ipc::RequestMeta meta{.verb = ipc::Verb::DeadRetry};
    meta.arguments[0] = std::vector<std::uint64_t>{task.value};
    meta.arguments[5] = std::string_view(content);
    auto document = client->request(meta, reply_deadline(), std::move(*bytes));
    if (!document) return context.fail(document.error());
    return print_document(context, *document, {});
  }

  Result<std::string> read(Context& context, std::uint64_t bytes_max) const {
    if (payload == "-") return read_all(context.in(), "standard input", bytes_max);
    if (payload) return *payload;
    auto fd = open_to_read(file);
    if (!fd) return fd.error();
    return read_all(fd->get(), file, bytes_max);
  }
};

}  // namespace

Run declare_dlq_ls(CLI::App& app) {
  auto list = std::make_shared<DeadList>();
  list->filter.declare(app);
  add_number(app, "--limit", list->limit, "N", "at most so many [100]").within(1, 10'000);
  add_number(app, "--after", list->after, "ID", "only ids above this one: the next page");
  return [list](Context& context) {
    ipc::RequestMeta meta{.verb = ipc::Verb::DeadLs};
    list->filter.put(meta, 0, 3);
    meta.arguments[1] = list->limit;
    meta.arguments[2] = list->after;
    return ask_and_print(context, meta, {"tasks", kColumns, "no dead letter"});
  };
}

Run declare_dlq_retry(CLI::App& app) {
  auto command = std::make_shared<DeadChange>();
  auto edit = std::make_shared<Edit>();
  command->declare(app);
  const auto payload = add_payload(app, "--payload", edit->payload, "TEXT",
                                   "with this payload, or '-': standard input; one letter");
  add_text(app, "--payload-file", edit->file, "FILE", "with what this file holds; one letter")
      .excludes(payload);
  std::vector<std::string> contents;
  for (const auto& row : Words<Content>::rows) contents.emplace_back(row.name);
  add_text(app, "--content", edit->content, "WHAT", "what the new payload is; else as before")
      .one_of(std::move(contents));
  return [command, edit](Context& context) {
    if (!edit->wanted() && !edit->content.empty()) {
      return context.fail(kUsage,
                          "--content says what another payload is: give that too, with --payload "
                          "or --payload-file");
    }
    if (!edit->wanted()) return command->run(context, ipc::Verb::DeadRetry);
    if (command->ids.size() != 1) {
      return context.fail(kUsage, "another payload is for one dead letter: give its id");
    }
    return edit->run(context, command->ids.front());
  };
}

Run declare_dlq_rm(CLI::App& app) {
  auto command = std::make_shared<DeadChange>();
  command->declare(app);
  return [command](Context& context) { return command->run(context, ipc::Verb::DeadRemove); };
}

}  // namespace warmpool::cli
