// Follows what happens in the pool while one task runs: a line for each event of any task, until
// this one has ended.
//
//   example-events fail 1
#include <cstdio>
#include <set>
#include <string>

#include <nlohmann/json.hpp>

#include "client/client.hpp"

namespace client = warmpool::client;

namespace {

using client::Client;
using nlohmann::json;

int fail(const std::string& text) {
  std::fprintf(stderr, "example-events: %s\n", text.c_str());
  return 1;
}

// "task-failed: attempt 1 on worker-0, failed". Which fields an event has: docs/protocol.md.
void print(const json& happened) {
  std::printf("%s", happened.at("event").get<std::string>().c_str());
  if (happened.contains("attempt")) {
    std::printf(": attempt %d on %s", happened.at("attempt").get<int>(),
                happened.value("worker", "no worker").c_str());
  }
  if (happened.contains("error")) {
    std::printf(", %s", happened.at("error").get<std::string>().c_str());
  }
  std::printf("\n");
}

bool is_last(const json& happened) {
  static const std::set<std::string> last{"task-completed", "task-dead", "task-cancelled",
                                          "task-expired"};
  return last.contains(happened.at("event").get<std::string>());
}

// Events and results come over the same connection, each in its own order.
warmpool::Result<client::Settled> follow(Client& pool, client::Ticket ticket) {
  std::set<std::uint64_t> ended;  // tasks whose last event came
  std::optional<client::Settled> settled;
  while (!settled || !ended.contains(settled->task.value)) {
    const auto event = pool.wait_any(client::in(std::chrono::minutes(1)));
    if (!event) return event.error();
    if (!*event) return warmpool::Error{0, "nothing has happened for a minute"};
    if (const auto* refused = std::get_if<client::Refused>(&**event)) {
      return warmpool::Error{refused->code, refused->text};
    }
    const auto* result = std::get_if<client::Settled>(&**event);
    if (result != nullptr && result->ticket == ticket) settled = *result;
    const auto* happened = std::get_if<client::Happened>(&**event);
    if (happened == nullptr) continue;
    const auto document = json::parse(happened->document);
    print(document);
    if (happened->gap) return warmpool::Error{0, "events are missing"};
    if (is_last(document)) ended.insert(document.at("task").get<std::uint64_t>());
  }
  return *settled;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return fail("usage: example-events TYPE PAYLOAD");
  auto pool = Client::connect({.name = "example-events"});
  if (!pool) return fail(pool.error().text);
  // Asked for first, so that the task's first event is among them.
  pool->events({.follow = true, .types = "task-*"});
  const auto ticket = pool->submit({.type = argv[1], .payload = argv[2], .wait = true});
  const auto settled = follow(*pool, ticket);
  if (!settled) return fail(settled.error().text);
  std::printf("%s after %d attempts\n", std::string(name_of(settled->verdict)).c_str(),
              settled->attempt);
  return settled->verdict == warmpool::Verdict::Done ? 0 : 1;
}
