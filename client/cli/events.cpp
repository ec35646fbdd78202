// events: one JSON line for each thing that happened, for people and for programs alike.
#include <memory>

#include "client/cli/command.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/format.hpp"
#include "client/cli/interrupts.hpp"
#include "pool/notice_set.hpp"

namespace warmpool::cli {

namespace {

// Of the text that the daemon is asked with.
constexpr std::size_t kTypesBytesMax = 255;
// How soon it is noticed that the daemon has gone.
constexpr std::chrono::milliseconds kLookInterval{500};

std::string wrong_type(const std::string& text) {
  if (text.size() > kTypesBytesMax)
    return "too many names; \"task-*\" stands for all that begin so";
  if (parse_notices(text)) return "";
  std::vector<std::string_view> known;
  for (const auto& row : kNoticeRows) known.push_back(row.name);
  const auto near = nearest(text, known);
  std::string all;
  for (const auto name : known) all += (all.empty() ? "" : ", ") + std::string(name);
  return "there is no event \"" + text + "\"" +
         (near.empty() ? "" : "; did you mean \"" + std::string(near) + "\"?") + "; known are " +
         all;
}

struct EventsCommand {
  client::EventsOptions options;
  std::vector<std::string> types;

  int run(Context& context) {
    for (const auto& each : types) options.types += (options.types.empty() ? "" : ",") + each;
    Interrupts interrupts;
    auto client = context.connect();
    if (!client) return context.fail(client.error());
    client->events(options);
    bool there = true, stopped = false;
    while (!context.out().broken()) {
      // What is there already goes out in one piece.
      auto event = client->wait_any(ipc::kAtOnce);
      if (event && !*event) {
        context.out().flush();
        if (stopped && !client->connected()) {
          return context.fail(kUnreachable, "the daemon has stopped");
        }
        tell_of_daemon(context, client->connected(), there);
        pollfd also[] = {{interrupts.fd(), POLLIN, 0}};
        event = client->wait_any(client::in(kLookInterval), also);
        if (interrupts.take()) return kInterrupted;
      }
      if (!event) return context.fail(event.error());
      stopped = stopped || is_shutdown(*event);
      if (const auto ended = take(context, *event)) return *ended;
    }
    return kOk;
  }

  // The last event of a daemon that was asked to stop.
  static bool is_shutdown(const std::optional<client::Event>& event) {
    const auto* happened = event ? std::get_if<client::Happened>(&*event) : nullptr;
    return happened != nullptr &&
           happened->document.find("\"event\":\"pool-shutdown\"") != std::string::npos;
  }

  // The client library looks for another daemon, and ends the events where none comes.
  static void tell_of_daemon(Context& context, bool connected, bool& there) {
    if (connected == there) return;
    there = connected;
    context.say(there ? "warmpool: the daemon is back; what was missed comes as a gap"
                      : "warmpool: the daemon has gone; going on when one is back within 30 s");
  }

  // What the command ends with, if this event is the last.
  static std::optional<int> take(Context& context, const std::optional<client::Event>& event) {
    if (!event) return std::nullopt;
    if (const auto* happened = std::get_if<client::Happened>(&*event)) {
      context.print(happened->document);
    } else if (const auto* refused = std::get_if<client::Refused>(&*event)) {
      return context.fail({refused->code, refused->text});
    } else if (const auto* unknown = std::get_if<client::Unknown>(&*event)) {
      return context.fail(kUnreachable, "the events end: " + unknown->text);
    } else if (std::holds_alternative<client::HappenedAll>(*event)) {
      return kOk;
    }
    return std::nullopt;
  }
};

}  // namespace

Run declare_events(CLI::App& app) {
  auto command = std::make_shared<EventsCommand>();
  add_flag(app, "-f,--follow", command->options.follow, "go on with what happens, until Ctrl-C");
  add_texts(app, "--type", command->types, "NAME,...", "only these; task-* is all that begin so")
      .checked(wrong_type);
  add_count(app, "--since", command->options.after, "only those with a number above this one");
  return [command](Context& context) { return command->run(context); };
}

}  // namespace warmpool::cli
