#include "client/cli/settled_text.hpp"

#include "client/cli/format.hpp"

namespace warmpool::cli {

void add_settled(JsonObject& object, const client::Settled& settled) {
  object.number("id", settled.task.value).text("verdict", name_of(settled.verdict));
  if (settled.verdict == Verdict::Done) {
    object.raw("result", json_payload(settled.content, settled.text()));
    return;
  }
  object.text("cause", name_of(settled.cause))
      .number("failures", settled.failures)
      .number("crashes", settled.crashes)
      .raw("error",
           json_payload(settled.content == Content::Bytes ? Content::Utf8 : settled.content,
                        settled.text()));
}

std::string settled_line(const client::Settled& settled) {
  std::string line =
      "task " + std::to_string(settled.task.value) + " is " + std::string(name_of(settled.verdict));
  if (settled.verdict == Verdict::Done) return line;
  line += " (" + std::string(name_of(settled.cause));
  if (settled.failures > 0) line += ", failures: " + std::to_string(settled.failures);
  if (settled.crashes > 0) line += ", crashes: " + std::to_string(settled.crashes);
  line += ")";
  return settled.text().empty() ? line : line + ": " + first_line(settled.text());
}

int exit_status_of(const client::Settled& settled) {
  return settled.verdict == Verdict::Done ? kOk : kFailed;
}

}  // namespace warmpool::cli
