// Commands about tasks that are there already.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "client/cli/command.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/requests.hpp"
#include "client/cli/settled_text.hpp"

namespace warmpool::cli {

namespace {

constexpr std::string_view kTaskColumns[] = {"id",    "type",    "state",    "priority",
                                             "round", "attempt", "failures", "crashes",
                                             "holds", "age_ms",  "worker"};
constexpr std::uint64_t kLsLimit = 100;

struct WaitCommand {
  std::vector<TaskId> ids;
  std::optional<Duration> timeout;

  int run(Context& context) const {
    auto client = context.connect();
    if (!client) return context.fail(client.error());
    const auto deadline =
        timeout ? client::in(std::chrono::nanoseconds(timeout->ns)) : ipc::kNoDeadline;
    for (const TaskId id : ids) {
      client->await(id);
    }
    int status = kOk;
    std::string documents;
    while (true) {
      auto event = client->wait_any(deadline);
      if (!event) {
        if (event.error().code == static_cast<int>(client::Fault::NothingOpen)) break;
        return context.fail(event.error());
      }
      if (!*event) {
        if (std::chrono::steady_clock::now() < deadline) continue;
        status = context.fail(
            kTimedOut, "tasks that have not settled in time: " + std::to_string(client->open()));
        break;
      }
      status = std::max(status, take(context, **event, documents));
    }
    if (context.json()) {
      context.print(
          JsonObject().number("schema", kSchema).raw("tasks", "[" + documents + "]").str());
    }
    return status;
  }

  static int take(Context& context, const client::Event& event, std::string& documents) {
    if (const auto* refused = std::get_if<client::Refused>(&event)) {
      return context.fail(kFailed, about_task(refused->task, refused->text));
    }
    if (const auto* unknown = std::get_if<client::Unknown>(&event)) {
      return context.fail(kUnreachable,
                          "task " + std::to_string(unknown->task.value) + ": " + unknown->text);
    }
    const auto* settled = std::get_if<client::Settled>(&event);
    if (settled == nullptr) return kOk;
    if (context.json()) {
      JsonObject object;
      add_settled(object, *settled);
      documents += (documents.empty() ? "" : ",") + object.str();
    } else {
      context.print(settled_line(*settled));
    }
    return exit_status_of(*settled);
  }
};

struct ResultCommand {
  std::vector<TaskId> ids;
  std::string file;

  int run(Context& context) const {
    auto client = context.connect();
    if (!client) return context.fail(client.error());
    client->await(ids.front(), true);
    auto event = client->wait_any(reply_deadline());
    if (!event) return context.fail(event.error());
    if (!*event) return context.fail(kTimedOut, "the daemon did not answer; see: warmpool status");
    if (const auto* refused = std::get_if<client::Refused>(&**event)) {
      return context.fail({refused->code, about_task(refused->task, refused->text)});
    }
    if (const auto* unknown = std::get_if<client::Unknown>(&**event)) {
      return context.fail(kUnreachable, unknown->text);
    }
    return print(context, std::get<client::Settled>(**event));
  }

  int print(Context& context, const client::Settled& settled) const {
    if (!file.empty() && settled.verdict == Verdict::Done) return save(context, settled.text());
    if (context.json()) {
      JsonObject object;
      object.number("schema", kSchema).text("content", name_of(settled.content));
      add_settled(object, settled);
      context.print(object.str());
    } else if (settled.verdict == Verdict::Done) {
      context.out().write(settled.text());
      if (context.out().is_terminal() && !settled.text().ends_with('\n')) context.out().write("\n");
    } else {
      context.fail(kFailed, settled_line(settled));
    }
    return exit_status_of(settled);
  }

  int save(Context& context, std::string_view bytes) const {
    std::FILE* out = std::fopen(file.c_str(), "wbe");
    const bool written =
        out != nullptr && std::fwrite(bytes.data(), 1, bytes.size(), out) == bytes.size();
    const bool closed = out != nullptr && std::fclose(out) == 0;
    if (written && closed) return kOk;
    return context.fail(kFailed, "cannot write " + file + ": " + std::strerror(errno));
  }
};

struct LsCommand {
  std::string state, type;
  std::uint64_t limit = kLsLimit, after = 0;

  int run(Context& context) const {
    ipc::RequestMeta meta{.verb = ipc::Verb::Ls};
    if (!state.empty()) meta.arguments[0] = std::string_view(state);
    if (!type.empty()) meta.arguments[1] = std::string_view(type);
    meta.arguments[2] = limit;
    meta.arguments[3] = after;
    return ask_and_print(context, meta, {"tasks", kTaskColumns, "no task"});
  }
};

int cancel_all(Context& context, const std::vector<TaskId>& ids) {
  auto client = context.connect();
  if (!client) return context.fail(client.error());
  int status = kOk;
  std::string documents;
  for (const TaskId id : ids) {
    client->cancel_later(id);
  }
  while (true) {
    auto event = client->wait_any(ipc::kNoDeadline);
    if (!event && event.error().code == static_cast<int>(client::Fault::NothingOpen)) break;
    if (!event) return context.fail(event.error());
    if (!*event) continue;
    if (const auto* cancelled = std::get_if<client::Cancelled>(&**event)) {
      documents += (documents.empty() ? "" : ",") + JsonObject()
                                                        .number("id", cancelled->task.value)
                                                        .text("state", name_of(cancelled->state))
                                                        .text("rung", name_of(cancelled->rung))
                                                        .flag("kept", cancelled->kept)
                                                        .str();
      if (!context.json()) {
        context.print("cancelled " + std::to_string(cancelled->task.value) + " (" +
                      std::string(name_of(cancelled->rung)) + ")" +
                      (cancelled->kept ? ""
                                       : ", but not yet on disk (see: warmpool status): if the "
                                         "daemon dies before it is, the task comes back"));
      }
    } else if (const auto* refused = std::get_if<client::Refused>(&**event)) {
      status = context.fail(kFailed, about_task(refused->task, refused->text));
    }
  }
  if (context.json()) {
    context.print(
        JsonObject().number("schema", kSchema).raw("cancelled", "[" + documents + "]").str());
  }
  return status;
}

std::shared_ptr<std::vector<TaskId>> one_id(CLI::App& app) {
  auto ids = std::make_shared<std::vector<TaskId>>();
  add_ids(app, *ids).required().at_most(1);
  return ids;
}

ipc::RequestMeta about(ipc::Verb verb, TaskId task) {
  return {.verb = verb, .arguments = {task.value}};
}

}  // namespace

Run declare_wait(CLI::App& app) {
  auto command = std::make_shared<WaitCommand>();
  add_ids(app, command->ids).required();
  add_time(app, "--timeout", command->timeout, "how long to wait; else without end");
  return [command](Context& context) { return command->run(context); };
}

Run declare_result(CLI::App& app) {
  auto command = std::make_shared<ResultCommand>();
  add_ids(app, command->ids).required().at_most(1);
  add_text(app, "-o,--output", command->file, "FILE", "write it to this file");
  return [command](Context& context) { return command->run(context); };
}

Run declare_show(CLI::App& app) {
  auto ids = one_id(app);
  return [ids](Context& context) {
    return ask_and_print(context, about(ipc::Verb::Show, ids->front()), {});
  };
}

Run declare_dlq_show(CLI::App& app) { return declare_show(app); }

Run declare_release(CLI::App& app) {
  auto ids = one_id(app);
  return [ids](Context& context) {
    return ask_and_print(context, about(ipc::Verb::Release, ids->front()), {});
  };
}

Run declare_ls(CLI::App& app) {
  auto command = std::make_shared<LsCommand>();
  std::vector<std::string> states;
  for (const auto& row : Words<TaskState>::rows) {
    states.emplace_back(row.name);
  }
  add_text(app, "--state", command->state, "STATE", "only in this state").one_of(states);
  add_text(app, "--type", command->type, "TYPE", "only of this type");
  add_number(app, "--limit", command->limit, "N", "at most so many [100]").within(1, 10'000);
  add_number(app, "--after", command->after, "ID", "only ids above this one: the next page");
  return [command](Context& context) { return command->run(context); };
}

Run declare_cancel(CLI::App& app) {
  auto ids = std::make_shared<std::vector<TaskId>>();
  add_ids(app, *ids).required();
  return [ids](Context& context) { return cancel_all(context, *ids); };
}

}  // namespace warmpool::cli
