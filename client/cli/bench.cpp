// Measures a running daemon from one client: what is reported holds for the whole path, client
// included.
#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "client/cli/bench_hops.hpp"
#include "client/cli/bench_load.hpp"
#include "client/cli/command.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/format.hpp"
#include "client/cli/json_text.hpp"
#include "ipc/spin.hpp"
#include "pool/options.hpp"

namespace warmpool::cli {

namespace {

// Enough to see where one task alone spends its time.
constexpr std::uint64_t kAloneMax = 1'000;

struct BenchCommand {
  Load load;
  std::optional<Duration> spin;
  bool where = false;

  int run(Context& context, std::string_view name) const {
    client::ConnectOptions options;
    options.spin = spin.value_or(Duration{});
    options.stamps = where;
    auto client = context.connect(std::move(options));
    if (!client) return context.fail(client.error());
    std::vector<HopsOfLoad> hops;
    if (where && load.in_flight > 1) {
      auto alone = load;
      alone.in_flight = 1;
      alone.tasks = std::min(alone.tasks, kAloneMax);
      if (const auto measured = measure(*client, alone, hops); !measured) {
        return context.fail(measured.error());
      }
    }
    const auto measured = measure(*client, load, hops);
    if (!measured) return context.fail(measured.error());
    report(context, name, *measured, hops);
    return measured->failed == 0 ? kOk : kFailed;
  }

  Result<Measured> measure(client::Client& client, const Load& wanted,
                           std::vector<HopsOfLoad>& hops) const {
    auto measured = run_load(client, wanted);
    if (!measured || !where) return measured;
    // What is said behind the last result is there when this is answered.
    if (const auto answered = client.ping(reply_deadline()); !answered) return answered.error();
    const auto stamps = client.take_stamps();
    if (stamps.empty()) {
      return Error{0,
                   "the daemon does not say where the time goes; it is older than this "
                   "program: update it, or leave --where out"};
    }
    hops.push_back({wanted.in_flight, hops_of(stamps)});
    return measured;
  }

  void report(Context& context, std::string_view name, const Measured& measured,
              const std::vector<HopsOfLoad>& hops) const {
    const auto& took = measured.took_ns;
    const auto at = [&](std::size_t percent) {
      return took[std::min(took.size() - 1, took.size() * percent / 100)];
    };
    const double rate =
        static_cast<double>(took.size()) * 1e9 / static_cast<double>(measured.elapsed.count());
    if (context.json()) {
      JsonObject document;
      document.number("schema", kSchema)
          .text("bench", name)
          .text("type", load.type)
          .number("tasks", load.tasks)
          .number("in_flight", load.in_flight)
          .number("payload_bytes", load.payload_bytes)
          .number("failed", measured.failed)
          .number("elapsed_ns", static_cast<std::uint64_t>(measured.elapsed.count()))
          .real("tasks_per_second", rate)
          .number("p50_ns", static_cast<std::uint64_t>(at(50)))
          .number("p90_ns", static_cast<std::uint64_t>(at(90)))
          .number("p99_ns", static_cast<std::uint64_t>(at(99)))
          .number("max_ns", static_cast<std::uint64_t>(took.back()));
      if (where) document.raw("where", hops_json(hops));
      return context.print(document.str());
    }
    Table table({"tasks", "in flight", "payload", "tasks/s", "p50", "p90", "p99", "max", "failed"});
    table.add({grouped(load.tasks), grouped(load.in_flight),
               std::to_string(load.payload_bytes) + " B", grouped(static_cast<std::uint64_t>(rate)),
               short_duration({at(50)}), short_duration({at(90)}), short_duration({at(99)}),
               short_duration({took.back()}), grouped(measured.failed)});
    context.out().write(table.text(context.bold()));
    if (where) context.out().write("\n" + hops_table(hops, context.bold()));
  }
};

std::string spin_fault(const std::string& text) {
  const auto spin = parse_duration(text);
  if (!spin || *spin <= ipc::kSpinMax) return {};
  return text + " is above " + duration_text(ipc::kSpinMax);
}

std::shared_ptr<BenchCommand> declare_bench(CLI::App& app) {
  auto command = std::make_shared<BenchCommand>();
  add_number(app, "--tasks", command->load.tasks, "N", "how many tasks").within(1, 1'000'000'000);
  add_text(app, "--type", command->load.type, "TYPE", "the task type [echo]");
  add_number(app, "--payload-bytes", command->load.payload_bytes, "N",
             "bytes of each payload [64]");
  add_time(app, "--spin", command->spin,
           "look for what comes so long before sleeping (at most 10ms) [0]")
      .checked(spin_fault);
  add_flag(app, "--where", command->where,
           "also say where the time of a task goes, hop by hop; of one outstanding, and of all");
  return command;
}

}  // namespace

Run declare_bench_throughput(CLI::App& app) {
  auto command = declare_bench(app);
  add_number(app, "--in-flight", command->load.in_flight, "N", "tasks at once [64]")
      .within(1, 1'000'000);
  return [command](Context& context) { return command->run(context, "throughput"); };
}

Run declare_bench_latency(CLI::App& app) {
  auto command = declare_bench(app);
  command->load.tasks = 1'000;
  command->load.in_flight = 1;
  return [command](Context& context) { return command->run(context, "latency"); };
}

}  // namespace warmpool::cli
