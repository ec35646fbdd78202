// Every way in which a task can end badly, and how a program tells one from another: what was
// refused and never ran, what failed, what killed its worker, what ran too long, what was
// cancelled.
//
//   example-errors
#include <cstdio>
#include <string>
#include <vector>

#include "client/client.hpp"

namespace client = warmpool::client;

namespace {

using client::Client;

client::Deadline soon() { return client::in(std::chrono::minutes(1)); }

int fail(const std::string& text) {
  std::fprintf(stderr, "example-errors: %s\n", text.c_str());
  return 1;
}

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

// Never ran: code and text say why, retry_after whether a later try makes sense.
std::string said(const client::Refused& refused) {
  const bool later = refused.retry_after.ns > 0;
  return "refused (" + std::to_string(refused.code) + (later ? ", try later" : "") +
         "): " + refused.text;
}

// Ran: the verdict is for programs, the cause says what ended the last attempt.
std::string said(const client::Settled& settled) {
  return std::string(name_of(settled.verdict)) + " (" + std::string(name_of(settled.cause)) +
         ", attempt " + std::to_string(settled.attempt) + "): " + settled.result;
}

// What became of a ticket; tells nothing more of it after that.
warmpool::Result<std::string> outcome(Client& pool, client::Ticket ticket) {
  for (;;) {
    const auto event = pool.wait_any(soon());
    if (!event) return event.error();  // the connection, not the task
    if (!*event) return warmpool::Error{0, "nothing has happened for a minute"};
    if (ticket_of(**event) != ticket) continue;
    const auto text = std::visit(
        Overloaded{[](const client::Refused& refused) { return said(refused); },
                   [](const client::Settled& settled) { return said(settled); },
                   [](const client::Unknown& unknown) { return "unknown: " + unknown.text; },
                   [](const auto&) { return std::string(); }},  // accepted: goes on
        **event);
    if (!text.empty()) return text;
  }
}

struct Case {
  const char* name;
  client::SubmitOptions task;
};

std::vector<Case> cases() {
  return {
      {"no such type", {.type = "no.such.type", .wait = true}},
      {"a bad wish", {.type = "echo", .priority = 101, .wait = true}},
      {"fails once, is tried again", {.type = "fail", .payload = "1", .retries = 1, .wait = true}},
      {"fails too often", {.type = "fail", .payload = "9", .retries = 0, .wait = true}},
      {"kills its worker", {.type = "crash", .payload = "SIGSEGV", .crashes_max = 1, .wait = true}},
      {"runs too long",
       {.type = "sleep",
        .payload = "60000",
        .timeout = warmpool::milliseconds(100),
        .retries = 0,
        .wait = true}},
      {"waits too long",
       {.type = "sleep",
        .payload = "0",
        .expiry = warmpool::milliseconds(10),
        .delay = warmpool::seconds(1),
        .wait = true}},
  };
}

warmpool::Result<void> cancel_one(Client& pool) {
  const auto ticket = pool.submit({.type = "sleep", .payload = "60000", .wait = true});
  const auto task = pool.accepted(ticket, soon());
  if (!task) return task.error();
  const auto cancelled = pool.cancel(*task, soon());
  if (!cancelled) return cancelled.error();
  const auto text = outcome(pool, ticket);
  if (!text) return text.error();
  std::printf("is cancelled: %s\n", text->c_str());
  return {};
}

warmpool::Result<void> run(Client& pool) {
  for (const auto& [name, task] : cases()) {
    const auto text = outcome(pool, pool.submit(task));
    if (!text) return text.error();
    std::printf("%s: %s\n", name, text->c_str());
  }
  return cancel_one(pool);
}

}  // namespace

int main() {
  auto pool = Client::connect({.name = "example-errors"});
  if (!pool) return fail(pool.error().text);
  const auto ran = run(*pool);
  return ran ? 0 : fail(ran.error().text);
}
