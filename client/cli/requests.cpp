#include "client/cli/requests.hpp"

#include <nlohmann/json.hpp>

#include "client/cli/document.hpp"
#include "client/cli/json_text.hpp"

namespace warmpool::cli {

int ask_and_print(Context& context, const ipc::RequestMeta& request, const View& view) {
  auto document = context.ask(request);
  if (!document) return context.fail(document.error());
  return print_document(context, *document, view);
}

int ask_patiently(Context& context, const ipc::RequestMeta& request) {
  auto client = context.connect();
  if (!client) return context.fail(client.error());
  auto document = client->request(request, ipc::kNoDeadline);
  if (!document) return context.fail(document.error());
  return print_document(context, *document, {});
}

int print_document(Context& context, const std::string& document, const View& view) {
  const auto parsed = nlohmann::ordered_json::parse(document, nullptr, false);
  if (parsed.is_discarded()) {
    return context.fail(kUnreachable,
                        "the daemon's answer is no JSON; are daemon and warmpool of one version?");
  }
  if (context.json()) {
    context.print(with_schema(document));
    return kOk;
  }
  const auto rows =
      parsed.is_object() && !view.rows.empty() ? parsed.find(std::string(view.rows)) : parsed.end();
  const bool has_rows = parsed.is_object() && rows != parsed.end() && rows->is_array();
  if (!has_rows) {
    context.out().write(document_text(parsed, context.bold()));
  } else if (rows->empty()) {
    context.say(view.if_empty);
  } else {
    context.out().write(rows_text(*rows, view.columns, context.bold()));
  }
  return kOk;
}

}  // namespace warmpool::cli
