// Measures a running daemon from one client: what is reported holds for the whole path, client
// included.
#include <algorithm>
#include <memory>
#include <unordered_map>

#include "client/cli/command.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/format.hpp"
#include "client/cli/json_text.hpp"

namespace warmpool::cli {

namespace {

using std::chrono::steady_clock;

struct BenchCommand {
  std::string type = "echo";
  std::uint64_t tasks = 10'000, in_flight = 64, payload_bytes = 64;

  client::SubmitOptions task() const {
    client::SubmitOptions options;
    options.type = type;
    options.payload = std::string(payload_bytes, 'x');
    options.content = Content::Utf8;
    options.wait = true;
    return options;
  }

  int run(Context& context, std::string_view name) const {
    auto client = context.connect();
    if (!client) return context.fail(client.error());
    std::unordered_map<std::uint64_t, steady_clock::time_point> begun;
    std::vector<std::int64_t> took;
    took.reserve(tasks);
    std::uint64_t submitted = 0, failed = 0;
    const auto begin = steady_clock::now();
    while (took.size() < tasks) {
      for (; submitted < tasks && begun.size() < in_flight; ++submitted) {
        const auto ticket = client->submit(task());
        begun.emplace(ticket.value, steady_clock::now());
      }
      auto event = client->wait_any(ipc::kNoDeadline);
      if (!event) return context.fail(event.error());
      if (!*event) continue;
      if (const auto* refused = std::get_if<client::Refused>(&**event)) {
        return context.fail({refused->code, refused->text});
      }
      if (const auto* unknown = std::get_if<client::Unknown>(&**event)) {
        return context.fail(kUnreachable, unknown->text);
      }
      const auto* settled = std::get_if<client::Settled>(&**event);
      if (settled == nullptr) continue;
      const auto found = begun.find(settled->ticket.value);
      took.push_back(std::chrono::nanoseconds(steady_clock::now() - found->second).count());
      begun.erase(found);
      failed += settled->verdict == Verdict::Done ? 0U : 1U;
    }
    report(context, name, std::move(took), steady_clock::now() - begin, failed);
    return failed == 0 ? kOk : kFailed;
  }

  void report(Context& context, std::string_view name, std::vector<std::int64_t> took,
              std::chrono::nanoseconds all, std::uint64_t failed) const {
    std::sort(took.begin(), took.end());
    const auto at = [&](std::size_t percent) {
      return took[std::min(took.size() - 1, took.size() * percent / 100)];
    };
    const double rate = static_cast<double>(took.size()) * 1e9 / static_cast<double>(all.count());
    if (context.json()) {
      context.print(JsonObject()
                        .number("schema", kSchema)
                        .text("bench", name)
                        .text("type", type)
                        .number("tasks", tasks)
                        .number("in_flight", in_flight)
                        .number("payload_bytes", payload_bytes)
                        .number("failed", failed)
                        .number("elapsed_ns", static_cast<std::uint64_t>(all.count()))
                        .real("tasks_per_second", rate)
                        .number("p50_ns", static_cast<std::uint64_t>(at(50)))
                        .number("p90_ns", static_cast<std::uint64_t>(at(90)))
                        .number("p99_ns", static_cast<std::uint64_t>(at(99)))
                        .number("max_ns", static_cast<std::uint64_t>(took.back()))
                        .str());
      return;
    }
    Table table({"tasks", "in flight", "payload", "tasks/s", "p50", "p90", "p99", "max", "failed"});
    table.add({grouped(tasks), grouped(in_flight), std::to_string(payload_bytes) + " B",
               grouped(static_cast<std::uint64_t>(rate)), short_duration({at(50)}),
               short_duration({at(90)}), short_duration({at(99)}), short_duration({took.back()}),
               grouped(failed)});
    context.out().write(table.text(context.bold()));
  }
};

std::shared_ptr<BenchCommand> declare_bench(CLI::App& app) {
  auto command = std::make_shared<BenchCommand>();
  add_number(app, "--tasks", command->tasks, "N", "how many tasks").within(1, 1'000'000'000);
  add_text(app, "--type", command->type, "TYPE", "the task type [echo]");
  add_number(app, "--payload-bytes", command->payload_bytes, "N", "bytes of each payload [64]");
  return command;
}

}  // namespace

Run declare_bench_throughput(CLI::App& app) {
  auto command = declare_bench(app);
  add_number(app, "--in-flight", command->in_flight, "N", "tasks at once [64]")
      .within(1, 1'000'000);
  return [command](Context& context) { return command->run(context, "throughput"); };
}

Run declare_bench_latency(CLI::App& app) {
  auto command = declare_bench(app);
  command->tasks = 1'000;
  command->in_flight = 1;
  return [command](Context& context) { return command->run(context, "latency"); };
}

}  // namespace warmpool::cli
