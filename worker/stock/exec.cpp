// The result: {"status": N or null, "signal": N or null, "stdout", "stderr": text, or
// {"base64": text} where it is not UTF-8, "stdout_truncated", "stderr_truncated", "seconds"}.
//
// A failed run's error is one line for people, then the same JSON as a second line: whoever asked
// (`warmpool run`) finds status and output there. Where no program was started it holds
// "started": false, and the status that a shell would have ended with.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include <nlohmann/json.hpp>

#include "ipc/text_forms.hpp"
#include "worker/stock/child.hpp"
#include "worker/stock/stock.hpp"

namespace warmpool::worker::stock {
namespace {

using nlohmann::ordered_json;

ordered_json stream_json(const std::string& bytes) {
  if (ipc::is_utf8(bytes)) return bytes;
  return ordered_json{{"base64", ipc::base64(bytes)}};
}

// A text that was cut within a character is still a text.
std::string_view cut(const Capture& stream) {
  const std::string_view kept = stream.kept;
  for (std::size_t less = 1; stream.truncated && less < 4 && less <= kept.size(); ++less) {
    if (ipc::is_utf8(kept)) break;
    if (ipc::is_utf8(kept.substr(0, kept.size() - less))) return kept.substr(0, kept.size() - less);
  }
  return kept;
}

std::string json_of(const Ending& ending, bool started = true) {
  const double seconds = static_cast<double>(ending.took.count() / 1000) / 1e6;
  const bool exited = ending.signal == 0;
  ordered_json document{{"status", exited ? ordered_json(ending.status) : ordered_json()},
                        {"signal", exited ? ordered_json() : ordered_json(ending.signal)},
                        {"stdout", stream_json(std::string(cut(ending.standard_output)))},
                        {"stderr", stream_json(std::string(cut(ending.standard_error)))},
                        {"stdout_truncated", ending.standard_output.truncated},
                        {"stderr_truncated", ending.standard_error.truncated},
                        {"seconds", seconds}};
  if (!started) document["started"] = false;
  return document.dump();
}

// JSON makes six bytes of some, so that only the whole tells whether it fits.
std::string fitting_json(Ending& ending, std::size_t bytes_max) {
  for (;;) {
    std::string text = json_of(ending);
    Capture& out = ending.standard_output;
    Capture& err = ending.standard_error;
    Capture& larger = out.kept.size() < err.kept.size() ? err : out;
    if (text.size() <= bytes_max || larger.kept.empty()) return text;
    larger.kept.resize(larger.kept.size() / 2);
    larger.truncated = true;
  }
}

std::string last_line(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  const auto begin = text.rfind('\n');
  if (begin != std::string_view::npos) text.remove_prefix(begin + 1);
  return std::string(text.substr(0, 200));
}

std::string summary_of(const Ending& ending) {
  std::string text = ending.cancelled ? "cancelled, and " : "";
  text += ending.signal == 0 ? "exited with status " + std::to_string(ending.status)
                             : "ended by signal " + std::to_string(ending.signal);
  const std::string said = last_line(ending.standard_error.kept);
  return said.empty() ? text : text + ": " + said;
}

bool can_never_start(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case EACCES:
    case EPERM:
    case ENOEXEC:
    case ELOOP:
    case ENAMETOOLONG:
    case EISDIR:
    case E2BIG:
      return true;
    default:
      return false;
  }
}

// With the statuses of a shell: 127 not found, 126 cannot be run.
Answer not_started(const Error& error) {
  if (!can_never_start(error.code)) return failed(error.text);
  Ending ending;
  ending.status = error.code == ENOENT ? 127 : 126;
  return failed_for_good(error.text + '\n' + json_of(ending, false));
}

// Where the task names no directory of its own.
void work_in(ExecRequest& request, std::string_view directory) {
  if (directory.empty()) return;
  if (!request.cwd) request.cwd = std::string(directory);
  request.env.try_emplace("WARMPOOL_DIRECTORY", std::string(directory));
}

Answer run(Context& context, SpawnTie tie) {
  auto request = ExecRequest::from_json(context.text());
  if (!request) return failed_for_good(request.error().text);
  work_in(*request, context.directory());
  if (context.cancelled()) return failed("cancelled before the program was started");
  auto child = Child::spawn(*request, tie);
  if (!child) return not_started(child.error());
  Ending ending = child->run(context);
  if (ending.signal == 0 && std::ranges::count(request->ok_status, ending.status) != 0) {
    return done(fitting_json(ending, context.result_bytes_max()), Content::Json);
  }
  std::string text = summary_of(ending) + '\n';
  const auto room = std::min<std::uint64_t>(kErrorBytesMax, context.result_bytes_max());
  text += fitting_json(ending, room - std::min<std::uint64_t>(room, text.size()));
  return failed(std::move(text));
}

}  // namespace

Answer exec(Context& context) { return run(context, SpawnTie::None); }

Answer exec_tied(Context& context) { return run(context, SpawnTie::Death); }

}  // namespace warmpool::worker::stock
