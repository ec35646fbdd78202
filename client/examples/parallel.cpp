// Digests files side by side: keeps some tasks in flight, takes results as they come.
//
//   example-parallel /usr/share/doc/*/copyright
#include <chrono>
#include <cstdio>
#include <map>
#include <string>

#include "client/client.hpp"

namespace client = warmpool::client;

namespace {

constexpr std::size_t kInFlight = 64;

int fail(const std::string& text) {
  std::fprintf(stderr, "example-parallel: %s\n", text.c_str());
  return 1;
}

client::SubmitOptions digest_of(const char* path) {
  client::SubmitOptions task;
  task.type = "file.digest";
  task.payload = path;
  task.content = warmpool::Content::Utf8;
  task.auto_key = true;
  task.wait = true;
  task.cancel_on_disconnect = true;
  return task;
}

// Returns how many failed.
int digest_all(client::Client& pool, int count, char** paths) {
  std::map<client::Ticket, const char*> in_flight;
  int next = 0, failed = 0;
  while (next < count || !in_flight.empty()) {
    while (next < count && in_flight.size() < kInFlight) {
      const char* path = paths[next++];
      in_flight.emplace(pool.submit(digest_of(path)), path);
    }
    const auto event = pool.wait_any(client::in(std::chrono::minutes(5)));
    if (!event || !*event) return failed + static_cast<int>(in_flight.size());
    if (std::holds_alternative<client::Accepted>(**event)) continue;
    const auto found = in_flight.find(ticket_of(**event));
    const auto* settled = std::get_if<client::Settled>(&**event);
    const bool done = settled != nullptr && settled->verdict == warmpool::Verdict::Done;
    std::printf("%s: %s\n", found->second, done ? settled->result.c_str() : "failed");
    failed += done ? 0 : 1;
    in_flight.erase(found);
  }
  return failed;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return fail("usage: example-parallel FILE...");
  auto pool = client::Client::connect({.name = "example-parallel"});
  if (!pool) return fail(pool.error().text);
  const int failed = digest_all(*pool, argc - 1, argv + 1);
  if (failed > 0) return fail(std::to_string(failed) + " files were not digested");
  return 0;
}
