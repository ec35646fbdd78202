#include "worker/stock/lines.hpp"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <optional>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "ipc/text_forms.hpp"

namespace warmpool::worker::stock {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

// JSON makes six bytes of some.
constexpr std::uint64_t kJsonGrowth = 6, kJsonRoom = 64 * 1024;
constexpr int kDepthMax = 100;
constexpr int kSoftware = 70;

// Before it is parsed: the parser calls itself for each level.
bool is_deep(std::string_view line) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted) {
      if (c == '\\') ++i;
      quoted = c != '"';
      continue;
    }
    quoted = c == '"';
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (depth > kDepthMax) return true;
  }
  return false;
}

ordered_json json_of(std::string_view bytes, Content content) {
  const std::string text(bytes);
  if (content == Content::Json && !is_deep(text)) {
    auto value = ordered_json::parse(text, nullptr, false);
    if (!value.is_discarded()) return value;
  }
  if (ipc::is_utf8(text)) return text;
  return ordered_json{{"base64", ipc::base64(text)}};
}

std::string text_of(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

Answer done_with(const json& result) {
  if (result.is_string()) return done(result.get<std::string>(), Content::Utf8);
  const bool wrapped = result.is_object() && result.size() == 1 && result.contains("base64") &&
                       result["base64"].is_string();
  if (!wrapped) return done(result.dump(), Content::Json);
  auto bytes = ipc::from_base64(result["base64"].get<std::string>());
  if (!bytes) return failed_for_good("the program's result is no base64");
  return done(std::move(*bytes));
}

Answer failed_with(const json& reply) {
  std::string text = text_of(reply["error"]);
  if (reply.value("final", json(false)) == json(true)) return failed_for_good(std::move(text));
  const auto later = reply.find("retry_after");
  if (later == reply.end() || !later->is_number()) return failed(std::move(text));
  const double seconds = std::clamp(later->get<double>(), 0.0, 3.2e8);
  return retry_after(std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9)),
                     std::move(text));
}

// What a line says, or nothing where it is no message.
std::optional<Answer> answer_of(const json& reply) {
  if (reply.contains("result")) return done_with(reply["result"]);
  if (reply.contains("error")) return failed_with(reply);
  if (reply.contains("held")) return held(text_of(reply["held"]));
  return std::nullopt;
}

bool report_progress(Context& context, const json& reply) {
  const auto progress = reply.find("progress");
  if (progress == reply.end() || !progress->is_number()) return false;
  const double part = std::clamp(progress->get<double>(), 0.0, 1.0);
  const auto text = reply.find("text");
  context.progress(static_cast<unsigned>(std::lround(part * 1000)),
                   text == reply.end() ? std::string() : text_of(*text));
  return true;
}

// What refuses it is for people: the task goes on.
bool leave_checkpoint(Context& context, const json& reply) {
  const auto checkpoint = reply.find("checkpoint");
  if (checkpoint == reply.end()) return false;
  const Answer read = checkpoint->is_null() ? done() : done_with(*checkpoint);
  const bool good = read.outcome == Outcome::Done;
  const auto left = good ? context.checkpoint(read.body, read.content) : Error{0, read.body};
  if (!left) std::fprintf(stderr, "warmpool-worker: %s\n", left.error().text.c_str());
  return true;
}

void pass_on(const std::string& line) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
}

}  // namespace

Answer Lines::run(Context& context) {
  if (context.cancelled()) return failed("cancelled before the program was given it");
  if (!program_.running()) {
    if (const auto started = program_.start(); !started) return failed(started.error().text);
  }
  program_.write_line(line_of(context));
  return await(context);
}

// The payload comes last: a script without a JSON parser finds it between a fixed text and the end.
std::string Lines::line_of(const Context& context) const {
  ordered_json line{{"task", context.task().value},
                    {"round", context.round()},
                    {"attempt", context.attempt()},
                    {"type", context.type()},
                    {"timeout", nullptr}};
  if (context.timeout().count() > 0) {
    line["timeout"] = static_cast<double>(context.timeout().count()) / 1e9;
  }
  if (!context.directory().empty()) line["directory"] = context.directory();
  if (!context.checkpointed().empty()) {
    line["checkpoint"] = json_of(context.checkpointed(), context.checkpointed_content());
  }
  line["payload"] = json_of(context.text(), context.content());
  return line.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

Answer Lines::await(Context& context) {
  const auto body_max =
      std::max<std::uint64_t>(context.result_bytes_max(), ipc::kCheckpointBytesMax);
  const std::uint64_t line_max = body_max * kJsonGrowth + kJsonRoom;
  auto kill_at = KeptProgram::Clock::time_point::max();
  bool told = false;
  while (true) {
    while (auto line = program_.take_line()) {
      const json reply = line->starts_with('{') && !is_deep(*line)
                             ? json::parse(*line, nullptr, false)
                             : json(json::value_t::discarded);
      if (!reply.is_object()) {
        pass_on(*line);
      } else if (auto answer = answer_of(reply)) {
        return std::move(*answer);
      } else if (!report_progress(context, reply) && !leave_checkpoint(context, reply)) {
        pass_on(*line);
      }
    }
    if (program_.pending() > line_max) {
      program_.kill_now();
      return failed_for_good("a line of the program has more than " + std::to_string(line_max) +
                             " bytes; it was ended");
    }
    if (!told && context.cancelled()) {
      told = true;
      kill_at = KeptProgram::Clock::now() + kCancelMax;
      program_.signal(SIGTERM);
    }
    if (told && KeptProgram::Clock::now() >= kill_at) {
      program_.kill_now();
      return failed("cancelled; the program did not end by SIGTERM and was killed");
    }
    if (program_.step(told ? -1 : context.cancel_fd(), kill_at)) continue;
    if (!told) end_as_it_did();
    program_.end();
    return failed("cancelled; the program ended");
  }
}

// The daemon then sees, counts and answers the crash of a worker. No core of this process, which
// is not the one that failed.
void Lines::end_as_it_did() {
  const int status = program_.end();
  std::fflush(nullptr);
  if (WIFSIGNALED(status)) {
    const rlimit none{};
    ::setrlimit(RLIMIT_CORE, &none);
    std::fprintf(stderr, "warmpool-worker: the program was ended by signal %d\n", WTERMSIG(status));
    std::signal(WTERMSIG(status), SIG_DFL);
    ::raise(WTERMSIG(status));
  }
  const int exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : kSoftware;
  std::fprintf(stderr, "warmpool-worker: the program ended with status %d within a task\n",
               exit_status);
  std::fflush(nullptr);
  ::_exit(exit_status == 0 ? kSoftware : exit_status);
}

}  // namespace warmpool::worker::stock
