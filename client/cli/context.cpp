#include "client/cli/context.hpp"

#include <cstdlib>

#include "client/cli/json_text.hpp"
#include "pool/refusal.hpp"

namespace warmpool::cli {

namespace {

constexpr std::chrono::seconds kReplyPatience{30};

// Source: no-color.org: the variable counts whatever it holds, unless it is empty.
bool wants_bold(const std::string& color, const Output& out) {
  if (color != "auto") return color == "always";
  const char* no_color = std::getenv("NO_COLOR");
  return out.is_terminal() && (no_color == nullptr || *no_color == '\0');
}

}  // namespace

ExitStatus exit_status_of(const Error& error) {
  if (error.code == static_cast<int>(client::Fault::TimedOut)) return kTimedOut;
  if (error.code > 0 && error.code < 100) return kUnreachable;
  if (error.code >= 100 && error.code < 200) return kTryAgain;
  switch (static_cast<Refusal>(error.code)) {
    case Refusal::CannotCreate:
      return kCannotCreate;
    case Refusal::InputOutput:
      return kInputOutput;
    case Refusal::NoPermission:
      return kNoPermission;
    case Refusal::Damaged:
      return kDamaged;
    default:
      break;
  }
  return kFailed;
}

Context::Context(Globals globals, Descriptors descriptors)
    : globals_(std::move(globals)),
      in_(descriptors.in),
      out_(descriptors.out),
      err_(descriptors.err),
      bold_(wants_bold(globals_.color, out_)) {}

void Context::print(std::string_view line) {
  out_.write(line);
  out_.write("\n");
}

void Context::say(std::string_view line) {
  if (globals_.quiet) return;
  err_.write(std::string(line) + "\n");
  err_.flush();
}

int Context::fail(const Error& error) {
  return complain(exit_status_of(error), error.code, error.text);
}

int Context::fail(int status, std::string_view text) { return complain(status, 0, text); }

int Context::complain(int status, int code, std::string_view text) {
  err_.write((json() ? error_document(status, code, text) : "warmpool: " + std::string(text)) +
             "\n");
  err_.flush();
  return status;
}

std::string error_document(int status, int code, std::string_view text) {
  const std::string readable = readable_text(text);
  const auto at = readable.rfind("; ");
  JsonObject error;
  error.number("status", static_cast<std::uint64_t>(status));
  error.raw("code", code == 0 ? "null" : std::to_string(code));
  error.text("text", readable);
  error.raw("hint", at == readable.npos ? "null" : json_string(readable.substr(at + 2)));
  return JsonObject().number("schema", kSchema).raw("error", error.str()).str();
}

Result<client::Client> Context::connect(client::ConnectOptions options) {
  options.socket = globals_.socket;
  options.name = "warmpool";
  auto client = client::Client::connect(std::move(options));
  if (client) return client;
  // Nobody waited for a task yet: a daemon that says nothing is one that cannot be reached.
  Error error = client.error();
  if (error.code == static_cast<int>(client::Fault::TimedOut)) {
    error.code = static_cast<int>(client::Fault::Unreachable);
  }
  return error;
}

Result<std::string> Context::ask(const ipc::RequestMeta& request) {
  auto client = connect();
  if (!client) return client.error();
  return ask(*client, request);
}

// A refusal that is about a task (3xx) says which.
Result<std::string> Context::ask(client::Client& client, const ipc::RequestMeta& request) {
  auto answer = client.request(request, reply_deadline());
  if (answer) return answer;
  const ipc::VerbRow* row = ipc::find_verb(request.verb);
  const bool of_task = row != nullptr && !row->arguments.empty() &&
                       row->arguments.front().name == "task" && answer.error().code / 100 == 3;
  const auto* task = std::get_if<std::uint64_t>(&request.arguments.front());
  if (!of_task || task == nullptr) return answer;
  return Error{answer.error().code, about_task(TaskId{*task}, answer.error().text)};
}

std::string about_task(TaskId task, std::string_view text) {
  const auto id = std::to_string(task.value);
  if (text.find(id) != text.npos) return std::string(text);
  return "task " + id + ": " + std::string(text);
}

client::Deadline reply_deadline() { return client::in(kReplyPatience); }

}  // namespace warmpool::cli
