// log: what a worker wrote, cut at its tasks. Following asks again, often while lines come and less
// often while none do: the daemon keeps a bounded number of lines and owes nobody the others, so a
// reader that is too slow is told how many it missed.
#include <algorithm>
#include <memory>

#include <nlohmann/json.hpp>

#include "client/cli/command.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/format.hpp"
#include "client/cli/interrupts.hpp"
#include "client/cli/members.hpp"
#include "client/cli/requests.hpp"

namespace warmpool::cli {

namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr std::uint64_t kLinesMax = 1024;  // that the daemon keeps
constexpr milliseconds kAskSoon{20}, kAskLate{500};

// Where following has come to.
struct Cursor {
  std::uint64_t after = 0, attempt = 0, round = 0;
  bool begun = false;
};

struct LogCommand {
  std::string task, slot;
  std::uint64_t lines = 20;
  bool follow = false;

  int run(Context& context) const {
    if (task.empty() == slot.empty()) {
      return context.fail(kUsage, "give the id of a task, or --slot NAME; see: warmpool help log");
    }
    return follow ? go_on(context) : once(context);
  }

  ipc::RequestMeta request(std::uint64_t limit) const {
    ipc::RequestMeta meta{.verb = ipc::Verb::Log, .arguments = {}};
    if (!task.empty()) meta.arguments[0] = *parse_id(task);
    if (!slot.empty()) meta.arguments[1] = std::string_view(slot);
    meta.arguments[2] = limit;
    return meta;
  }

  int once(Context& context) const {
    auto document = context.ask(request(lines));
    if (!document) return context.fail(document.error());
    if (context.json()) return print_document(context, *document, {});
    const json parsed = json::parse(*document, nullptr, false);
    if (!parsed.is_object() || !parsed.contains("lines"))
      return print_document(context, *document, {});
    for (const auto& line : parsed["lines"]) context.print(text_of(line, "text"));
    if (parsed["lines"].empty()) context.say("no output is kept");
    return kOk;
  }

  // Its own connection, and no other one in its place: a daemon that ends is told at once.
  int go_on(Context& context) const {
    Interrupts interrupts;
    client::ConnectOptions options;
    options.reconnect.enabled = false;
    auto client = context.connect(options);
    if (!client) return context.fail(client.error());
    Cursor cursor;
    auto pause = kAskSoon;
    while (!context.out().broken()) {
      auto document = client->request(request_from(cursor), reply_deadline());
      if (!document) return ended(context, document.error(), cursor);
      const json parsed = json::parse(*document, nullptr, false);
      if (!parsed.is_object() || !parsed.contains("lines")) return context.fail(kFailed, *document);
      const auto shown = show(context, parsed, cursor);
      if (shown && parsed.value("settled", false)) return kOk;
      pause = shown ? kAskSoon : std::min(pause * 2, kAskLate);
      pollfd also[] = {{interrupts.fd(), POLLIN, 0}};
      ::poll(also, 1, static_cast<int>(pause.count()));
      if (interrupts.take()) return kInterrupted;
    }
    return kOk;
  }

  ipc::RequestMeta request_from(const Cursor& cursor) const {
    auto meta = request(cursor.begun ? kLinesMax : lines);
    if (cursor.begun) meta.arguments[3] = cursor.after;
    return meta;
  }

  static int ended(Context& context, const Error& error, const Cursor& cursor) {
    const int status = exit_status_of(error);
    // Settled, and its result taken: nothing more can come.
    if (status == kFailed && cursor.begun) return kOk;
    if (status != kUnreachable) return context.fail(error);
    return context.fail(status, "the daemon has gone: " + error.text);
  }

  // True when there may be more at once: lines came, another attempt began, or the task settled.
  bool show(Context& context, const json& document, Cursor& cursor) const {
    const Cursor next{.after = number_of(document, "last"),
                      .attempt = number_of(document, "attempt"),
                      .round = number_of(document, "round"),
                      .begun = true};
    const bool another = next.attempt != cursor.attempt || next.round != cursor.round;
    // Lines of another attempt may be another worker's, which have numbers of their own; those of a
    // slot begin anew where it was taken away and came back.
    if (cursor.after > 0 && (another || next.after < cursor.after)) {
      if (another) {
        context.say("warmpool: attempt " + std::to_string(next.attempt) + " on " +
                    text_of(document, "worker"));
      }
      cursor = next;
      cursor.after = 0;
      return true;
    }
    const auto missed = number_of(document, "missed");
    if (cursor.begun && missed > 0 && (cursor.after > 0 || !slot.empty())) {
      context.say("warmpool: " + grouped(missed) + " lines of this worker are not kept any more");
    }
    const bool settled = document.value("settled", false);
    for (const auto& line : document["lines"]) {
      if (settled || !line.value("unfinished", false)) print(context, line);
    }
    context.out().flush();
    cursor = next;
    return !document["lines"].empty() || settled;
  }

  static void print(Context& context, const json& line) {
    context.print(context.json() ? line.dump() : text_of(line, "text"));
    if (!context.json() && line.value("cut", false)) {
      context.say("warmpool: a part of that line is not kept");
    }
  }
};

}  // namespace

Run declare_log(CLI::App& app) {
  auto command = std::make_shared<LogCommand>();
  add_argument(app, "id", command->task, "the id of a task").checked(wrong_id);
  add_text(app, "--slot", command->slot, "NAME",
           "all that this worker wrote, see: warmpool workers");
  add_number(app, "-n,--lines", command->lines, "N", "the last so many [20]").within(1, kLinesMax);
  add_flag(app, "-f,--follow", command->follow,
           "go on with what comes: of a task until it settles, of a worker until Ctrl-C");
  return [command](Context& context) { return command->run(context); };
}

}  // namespace warmpool::cli
