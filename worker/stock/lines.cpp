#include "worker/stock/lines.hpp"

#include <algorithm>
#include <cerrno>
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
  const auto permille = static_cast<unsigned>(std::lround(part * 1000));
  const auto found = reply.find("text");
  const std::string text = found == reply.end() ? std::string() : text_of(*found);
  const auto partial = reply.find("partial");
  if (partial == reply.end()) {
    context.progress(permille, text);
    return true;
  }
  const Answer read = done_with(*partial);
  const bool good = read.outcome == Outcome::Done;
  const auto told = good ? context.partial(permille, read.body, read.content, text)
                         : Result<void>(Error{0, "the partial result is no base64"});
  if (!told) std::fprintf(stderr, "warmpool-worker: %s\n", told.error().text.c_str());
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

// No object: it is none.
json message_of(const std::string& line) {
  return line.starts_with('{') && !is_deep(line) ? json::parse(line, nullptr, false)
                                                 : json(json::value_t::discarded);
}

// What only looks like a number of a task is the program's own affair.
bool has_number(const json& reply, const char* name) {
  const auto found = reply.find(name);
  return found != reply.end() && found->is_number_integer();
}

bool names_task(const json& reply) { return has_number(reply, "task"); }

bool names_attempt(const json& reply) {
  return names_task(reply) && has_number(reply, "round") && has_number(reply, "attempt");
}

// Round and attempt are looked at only beside the task: alone they are the program's own.
bool is_of_another(const json& reply, const Context& context) {
  if (!names_task(reply)) return false;
  const auto differs = [&reply](const char* name, std::uint64_t value) {
    return has_number(reply, name) && reply[name] != value;
  };
  return reply["task"] != context.task().value || differs("round", context.round()) ||
         differs("attempt", context.attempt());
}

Answer refused_nameless(const Context& context) {
  return failed_for_good(
      "an answer over FIFOs names its task, round and attempt, as in {\"task\":" +
      std::to_string(context.task().value) + ",\"round\":" + std::to_string(context.round()) +
      ",\"attempt\":" + std::to_string(context.attempt()) + ",\"result\":...}");
}

void pass_on(const std::string& line) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
}

}  // namespace

Answer Lines::run(Context& context) {
  if (context.cancelled()) return failed("cancelled before the program was given it");
  if (const auto there = be_there(context); !there) return failed(there.error().text);
  asked_ = false;
  program_.write_line(line_of(context));
  return await(context);
}

// Its FIFOs may still be those of the worker before, which ends when it has answered.
Result<void> Lines::be_there(const Context& context) {
  if (program_.running() && is_out_of_step()) program_.kill_now();
  while (!program_.running()) {
    const auto started = program_.start();
    if (started) continue;
    const bool waits = !program_.is_own() && started.error().code == EWOULDBLOCK;
    if (!waits || context.wait_for(kLookInterval)) return started.error();
  }
  return {};
}

// Between two tasks: what it says there is of no task that is given to it.
bool Lines::is_out_of_step() {
  program_.read_all();
  bool answered = false;
  while (const auto line = program_.take_line()) {
    const json reply = message_of(*line);
    answered |= reply.is_object() && !names_task(reply) && answer_of(reply).has_value();
    pass_on(*line);
  }
  if (!program_.is_own() || (!answered && !program_.has_unwritten())) return false;
  std::fprintf(stderr, "warmpool-worker: the program %s; it is started anew\n",
               answered ? "has answered a task twice" : "has left a part of its line unread");
  return true;
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
  if (context.payload_fd() >= 0) {
    line["payload_bytes"] = context.payload().size();
    line["payload_file"] =
        "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(context.payload_fd());
  } else {
    line["payload"] = json_of(context.text(), context.content());
  }
  return line.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::optional<Answer> Lines::take_lines(Context& context) {
  while (auto line = program_.take_line()) {
    const json reply = message_of(*line);
    if (!reply.is_object() || is_of_another(reply, context)) {
      pass_on(*line);
      continue;
    }
    const bool known = program_.is_own() || names_attempt(reply);
    if (auto answer = answer_of(reply)) {
      return known ? std::move(*answer) : refused_nameless(context);
    }
    if (!known || (!report_progress(context, reply) && !leave_checkpoint(context, reply))) {
      pass_on(*line);
    }
  }
  return std::nullopt;
}

// One that is still starting has set no handler, and would be ended by the signal.
void Lines::ask_for_checkpoint(const Context& context) {
  if (!context.checkpoint_wanted()) {
    asked_ = false;
  } else if (!asked_ && program_.has_read_all()) {
    program_.signal(checkpoint_signal_);
    asked_ = true;
  }
}

Answer Lines::await(Context& context) {
  const auto body_max =
      std::max<std::uint64_t>(context.result_bytes_max(), ipc::kCheckpointBytesMax);
  const std::uint64_t line_max = body_max * kJsonGrowth + kJsonRoom;
  auto kill_at = KeptProgram::Clock::time_point::max();
  bool told = false;
  while (true) {
    if (auto answer = take_lines(context)) return std::move(*answer);
    if (program_.pending() > line_max) {
      program_.kill_now();
      program_.forget_pending();
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
      return failed(program_.is_own()
                        ? "cancelled; the program did not end by SIGTERM and was killed"
                        : "cancelled; the program, which cannot be told, is not waited for");
    }
    auto until = kill_at;
    if (checkpoint_signal_ != 0 && !told) {
      ask_for_checkpoint(context);
      until = KeptProgram::Clock::now() + kLookInterval;
    }
    if (program_.step(told ? -1 : context.cancel_fd(), until)) continue;
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
  if (program_.is_own()) {
    std::fprintf(stderr, "warmpool-worker: the program ended with status %d within a task\n",
                 exit_status);
  } else {
    std::fprintf(stderr, "warmpool-worker: the program closed its FIFO within a task\n");
  }
  std::fflush(nullptr);
  ::_exit(exit_status == 0 ? kSoftware : exit_status);
}

}  // namespace warmpool::worker::stock
