#include "client/cli/bench_load.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace warmpool::cli {

namespace {

using std::chrono::steady_clock;

client::SubmitOptions task_of(const Load& load) {
  client::SubmitOptions options;
  options.type = load.type;
  options.payload = std::string(load.payload_bytes, 'x');
  options.content = Content::Utf8;
  options.durability = load.durability;
  options.wait = true;
  return options;
}

}  // namespace

double rounded(double value) { return std::round(value * 10'000) / 10'000; }

Result<Measured> run_load(client::Client& client, const Load& load, Interrupts* interrupts) {
  pollfd also[] = {{interrupts == nullptr ? -1 : interrupts->fd(), POLLIN, 0}};
  std::unordered_map<std::uint64_t, steady_clock::time_point> begun;
  Measured measured;
  measured.took_ns.reserve(load.tasks);
  std::uint64_t submitted = 0;
  const auto begin = steady_clock::now();
  while (measured.took_ns.size() < load.tasks) {
    for (; submitted < load.tasks && begun.size() < load.in_flight; ++submitted) {
      const auto ticket = client.submit(task_of(load));
      begun.emplace(ticket.value, steady_clock::now());
    }
    auto event = client.wait_any(ipc::kNoDeadline, also);
    if (interrupts != nullptr && interrupts->take()) return Error{0, "interrupted"};
    if (!event) return event.error();
    if (!*event) continue;
    if (const auto* refused = std::get_if<client::Refused>(&**event)) {
      return Error{refused->code, refused->text};
    }
    if (const auto* unknown = std::get_if<client::Unknown>(&**event)) {
      return Error{static_cast<int>(client::Fault::Lost), unknown->text};
    }
    const auto* settled = std::get_if<client::Settled>(&**event);
    if (settled == nullptr) continue;
    const auto found = begun.find(settled->ticket.value);
    measured.took_ns.push_back(
        std::chrono::nanoseconds(steady_clock::now() - found->second).count());
    begun.erase(found);
    measured.failed += settled->verdict == Verdict::Done ? 0U : 1U;
  }
  measured.elapsed = steady_clock::now() - begin;
  std::sort(measured.took_ns.begin(), measured.took_ns.end());
  return measured;
}

}  // namespace warmpool::cli
