// Lets a class grow while its tasks wait and shrink when they are done.
//
//   warmpoold --workers 1 &
//   example-scaling 60 4          60 tasks of 50 ms, with at most 4 workers
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "client/client.hpp"

namespace client = warmpool::client;

namespace {

using client::Client;
using nlohmann::json;

constexpr std::uint64_t kTasksPerWorker = 8;

client::Deadline soon() { return client::in(std::chrono::seconds(10)); }

int fail(const std::string& text) {
  std::fprintf(stderr, "example-scaling: %s\n", text.c_str());
  return 1;
}

// The answer is {"before":N,"after":N}; a size outside of size_min and size_max is refused.
warmpool::Result<void> scale_to(Client& pool, std::uint64_t workers) {
  const auto answer = pool.scale("", Client::Scale::To, workers, soon());
  if (!answer) return answer.error();
  const auto sizes = json::parse(*answer);
  std::printf("%d -> %d workers\n", sizes.at("before").get<int>(), sizes.at("after").get<int>());
  return {};
}

std::vector<client::Ticket> submit_sleeps(Client& pool, int count) {
  client::SubmitOptions task;
  task.type = "sleep";
  task.payload = "50";
  task.wait = true;
  task.cancel_on_disconnect = true;
  return pool.submit_many(
      std::vector<client::SubmitOptions>(static_cast<std::size_t>(count), task));
}

// One worker for each eight tasks that wait.
warmpool::Result<std::uint64_t> workers_wanted(Client& pool, std::uint64_t workers_max) {
  const auto status = pool.status(soon());
  if (!status) return status.error();
  const auto waiting = json::parse(*status).at("queue").at("depth").get<std::uint64_t>();
  return std::clamp<std::uint64_t>(waiting / kTasksPerWorker, 1, workers_max);
}

// How many of them were done.
warmpool::Result<int> take_all(Client& pool) {
  int done = 0;
  while (pool.open() > 0) {
    const auto event = pool.wait_any(client::in(std::chrono::minutes(1)));
    if (!event) return event.error();
    if (!*event) return warmpool::Error{0, "no task has ended for a minute"};
    const auto* settled = std::get_if<client::Settled>(&**event);
    if (settled != nullptr && settled->verdict == warmpool::Verdict::Done) ++done;
  }
  return done;
}

warmpool::Result<void> run(Client& pool, int tasks, std::uint64_t workers_max) {
  const auto tickets = submit_sleeps(pool, tasks);
  // What was queued is with the daemon when the last of it is accepted.
  if (const auto last = pool.accepted(tickets.back(), soon()); !last) return last.error();
  const auto wanted = workers_wanted(pool, workers_max);
  if (!wanted) return wanted.error();
  if (const auto grown = scale_to(pool, *wanted); !grown) return grown;
  const auto done = take_all(pool);
  if (!done) return done.error();
  std::printf("%d tasks done\n", *done);
  return scale_to(pool, 1);
}

}  // namespace

int main(int argc, char** argv) {
  const int tasks = argc == 3 ? std::atoi(argv[1]) : 0;
  const int workers_max = argc == 3 ? std::atoi(argv[2]) : 0;
  if (tasks < 1 || workers_max < 1) return fail("usage: example-scaling TASKS WORKERS_MAX");
  auto pool = Client::connect({.name = "example-scaling"});
  if (!pool) return fail(pool.error().text);
  const auto ran = run(*pool, tasks, static_cast<std::uint64_t>(workers_max));
  return ran ? 0 : fail(ran.error().text);
}
