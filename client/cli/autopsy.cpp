// autopsy: what is kept of a bad end, the cause in the first line and what to do in the second.
#include <memory>

#include <nlohmann/json.hpp>

#include "client/cli/command.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/format.hpp"
#include "client/cli/members.hpp"
#include "client/cli/requests.hpp"

namespace warmpool::cli {

namespace {

using nlohmann::json;

std::string_view state_text(std::string_view state) {
  if (state == "R") return "running on a CPU, or ready to";
  if (state == "S") return "sleeping";
  if (state == "D") return "sleeping where no signal reaches it";
  if (state == "T") return "stopped by a signal";
  if (state == "t") return "held by a debugger";
  if (state == "Z") return "dead, not yet waited for";
  return "in a state that proc(5) knows";
}

// Nothing where there is nothing to say.
void say(Context& context, std::string_view what, const std::string& text) {
  if (text.empty()) return;
  std::string line = "  " + std::string(what);
  line.resize(std::max<std::size_t>(line.size() + 1, 18), ' ');
  context.print(line + text);
}

std::string seconds_text(double seconds) {
  return short_duration(Duration{static_cast<std::int64_t>(seconds * 1e9)});
}

std::string real(const json& row, const char* name) {
  return row.contains(name) && row[name].is_number() ? seconds_text(row[name].get<double>()) : "?";
}

std::string cost(const json& row) {
  return real(row, "cpu_user_seconds") + " user, " + real(row, "cpu_system_seconds") +
         " system; resident at most " + short_bytes(number_of(row, "rss_peak_bytes")) + "; " +
         grouped(number_of(row, "voluntary_switches")) + " waits, " +
         grouped(number_of(row, "involuntary_switches")) + " times displaced";
}

void list(Context& context, std::string_view title, const json& row, const char* name) {
  if (!row.contains(name) || !row[name].is_array()) return;
  for (const auto& each : row[name]) {
    if (each.is_string()) say(context, title, each.get<std::string>());
    title = {};
  }
}

void show_before(Context& context, const json& before) {
  const auto state = text_of(before, "state");
  const auto channel = text_of(before, "wait_channel");
  say(context, text_of(before, "when").empty() ? "before" : "its state",
      state + ", " + std::string(state_text(state)) +
          (channel.empty() ? std::string() : ", in " + channel) + " (" + text_of(before, "when") +
          ")");
  const auto call = text_of(before, "system_call");
  if (!call.empty() && call != "running") say(context, "system call", call);
  say(context, "had",
      std::to_string(number_of(before, "threads")) + " threads, " +
          std::to_string(number_of(before, "open_descriptors")) + " open descriptors, " +
          std::to_string(number_of(before, "children")) + " children, " +
          short_bytes(number_of(before, "rss_bytes")) + " resident");
  list(context, "limits reached", before, "limits_reached");
  say(context, "kernel stack", first_line(text_of(before, "kernel_stack")));
  if (before.contains("thread_list")) {
    std::string_view title = "threads";
    for (const auto& thread : before["thread_list"]) {
      const auto waits = text_of(thread, "wait_channel");
      say(context, title,
          std::to_string(number_of(thread, "id")) + " " + text_of(thread, "name") + " " +
              text_of(thread, "state") + (waits.empty() ? "" : " in " + waits));
      title = {};
    }
  }
  list(context, "children", before, "child_list");
  list(context, "descriptors", before, "descriptor_list");
}

void show(Context& context, const json& one) {
  context.print(text_of(one, "sentence"));
  say(context, "what to do", text_of(one, "advice"));
  if (one.contains("task")) {
    say(context, "attempt",
        std::to_string(number_of(one, "attempt")) + " of task " +
            std::to_string(number_of(one, "task")) + ", round " +
            std::to_string(number_of(one, "round")) + ", after " +
            seconds_text(one.value("ran_ms", 0.0) / 1e3));
    say(context, "next attempt", text_of(one, "next"));
  }
  say(context, "when",
      text_of(one, "at") + ", " + text_of(one, "worker") + " had lived for " +
          seconds_text(one.value("uptime_ms", 0.0) / 1e3));
  if (one.contains("before")) show_before(context, one["before"]);
  if (one.contains("usage")) {
    say(context, one.contains("core_dumped") ? "whole life" : "until then", cost(one["usage"]));
  } else if (one.contains("before")) {
    say(context, "until then", cost(one["before"]));
  }
  if (one.value("core_dumped", false)) say(context, "core", "a core file was written");
  list(context, "last output", one, "output");
}

struct AutopsyCommand {
  std::string what;
  std::uint64_t attempt = 0;

  bool is_task() const { return wrong_id(what).empty(); }

  int run(Context& context) const {
    ipc::RequestMeta meta{.verb = ipc::Verb::Autopsy, .arguments = {}};
    if (is_task()) {
      meta.arguments[0] = *parse_id(what);
    } else {
      meta.arguments[1] = std::string_view(what);
    }
    auto document = context.ask(meta);
    if (!document) return context.fail(document.error());
    json parsed = json::parse(*document, nullptr, false);
    if (!parsed.is_object() || !parsed.contains("autopsies")) {
      return context.fail(kFailed, *document);
    }
    if (attempt != 0) narrow(parsed["autopsies"]);
    if (context.json()) {
      context.print(parsed.dump());
    } else {
      show_all(context, parsed["autopsies"]);
    }
    if (!parsed["autopsies"].empty()) return kOk;
    return context.fail(kFailed, nothing());
  }

  void narrow(json& list) const {
    json left = json::array();
    for (auto& one : list) {
      if (number_of(one, "attempt") == attempt) left.push_back(std::move(one));
    }
    list = std::move(left);
  }

  // Of a task all, one after the other; the newest last, where people look.
  static void show_all(Context& context, const json& list) {
    bool first = true;
    for (const auto& one : list) {
      if (!first) context.print("");
      show(context, one);
      first = false;
    }
  }

  std::string nothing() const {
    if (!is_task()) return "no process of " + what + " has ended badly since the daemon started";
    return "no attempt of task " + what + (attempt != 0 ? " with that number ended" : " ended") +
           " by its worker's end, its timeout or a hang, as far as is kept; see: warmpool show " +
           what;
  }
};

}  // namespace

Run declare_autopsy(CLI::App& app) {
  auto command = std::make_shared<AutopsyCommand>();
  add_argument(app, "what", command->what, "the id of a task, or a slot as in warmpool workers")
      .required();
  add_number(app, "--attempt", command->attempt, "N", "only of this attempt of the task")
      .within(1, 65'535);
  return [command](Context& context) { return command->run(context); };
}

}  // namespace warmpool::cli
