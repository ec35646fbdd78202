// Submits one task, waits for its result, prints it.
//
//   warmpoold &
//   example-basic echo "hello"
#include <cstdio>
#include <string>

#include "client/client.hpp"

namespace client = warmpool::client;

namespace {

int fail(const std::string& text) {
  std::fprintf(stderr, "example-basic: %s\n", text.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return fail("usage: example-basic TYPE PAYLOAD");
  auto connected = client::Client::connect({.name = "example-basic"});
  if (!connected) return fail(connected.error().text);

  client::SubmitOptions task;
  task.type = argv[1];
  task.payload = argv[2];
  task.content = warmpool::Content::Utf8;
  task.auto_key = true;  // a connection that breaks in between does not make two tasks of it
  task.wait = true;
  const auto ticket = connected->submit(task);

  const auto id = connected->accepted(ticket, client::in(std::chrono::seconds(10)));
  if (!id) return fail(id.error().text);
  const auto settled = connected->await_all({&*id, 1}, client::in(std::chrono::minutes(5)));
  if (!settled) return fail(settled.error().text);

  const auto& outcome = settled->front();
  std::printf("task %llu is %s: %s\n", static_cast<unsigned long long>(outcome.task.value),
              std::string(name_of(outcome.verdict)).c_str(), outcome.result.c_str());
  return outcome.verdict == warmpool::Verdict::Done ? 0 : 1;
}
