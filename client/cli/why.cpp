// warmpool why: five questions over one connection, one answer.
#include <array>
#include <memory>

#include <nlohmann/json.hpp>

#include "client/cli/command.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/json_text.hpp"
#include "client/cli/why_reasons.hpp"

namespace warmpool::cli {

namespace {

using nlohmann::json;

std::string json_of(std::uint64_t id, const json& task, const std::vector<Reason>& reasons) {
  std::string rows;
  for (const auto& reason : reasons) {
    rows += (rows.empty() ? "" : ",") + JsonObject()
                                            .text("rule", name_of(reason.rule))
                                            .text("detail", reason.detail)
                                            .text("change", reason.change)
                                            .str();
  }
  return JsonObject()
      .number("schema", kSchema)
      .number("id", id)
      .text("state", task.value("state", ""))
      .flag("waits", !reasons.empty())
      .raw("reasons", "[" + rows + "]")
      .text("elsewhere", reasons.empty() ? elsewhere(task) : "")
      .str();
}

int why(Context& context, TaskId id) {
  auto client = context.connect();
  if (!client) return context.fail(client.error());
  const std::array<ipc::RequestMeta, 5> questions{
      ipc::RequestMeta{.verb = ipc::Verb::Show, .arguments = {id.value}},
      ipc::RequestMeta{.verb = ipc::Verb::Types}, ipc::RequestMeta{.verb = ipc::Verb::Workers},
      ipc::RequestMeta{.verb = ipc::Verb::Status}, ipc::RequestMeta{.verb = ipc::Verb::Breakers}};
  std::array<json, 5> documents;
  for (std::size_t at = 0; at < questions.size(); ++at) {
    const auto text = Context::ask(*client, questions[at]);
    if (!text) return context.fail(text.error());
    documents[at] = json::parse(*text, nullptr, false);
    if (!documents[at].is_object()) return context.fail(kFailed, "the daemon's reply is no JSON");
  }
  const auto& [task, types, workers, status, breakers] = documents;
  const auto reasons = reasons_of({task, types, workers, status, breakers});
  if (context.json()) {
    context.print(json_of(id.value, task, reasons));
  } else if (reasons.empty()) {
    context.print("task " + std::to_string(id.value) + " does not wait: " + elsewhere(task));
  }
  if (context.json()) return kOk;
  for (const auto& reason : reasons) {
    context.print(std::string(name_of(reason.rule)) + ": " + reason.detail +
                  "\n  what would change it: " + reason.change);
  }
  return kOk;
}

}  // namespace

Run declare_why(CLI::App& app) {
  auto ids = std::make_shared<std::vector<TaskId>>();
  add_ids(app, *ids).required().at_most(1);
  return [ids](Context& context) { return why(context, ids->front()); };
}

}  // namespace warmpool::cli
