// The commands: one table. Help, docs/cli.md, suggestions and the parser come from its rows.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "client/cli/context.hpp"

namespace CLI {
class App;
}

namespace warmpool::cli {

using Run = std::function<int(Context&)>;

struct CommandRow {
  std::string_view name;          // "submit", or "dlq ls" for one of a group
  std::string_view group;         // the heading it stands under
  std::string_view summary;       // one line, no full stop
  std::string_view notes;         // below its options in help: what else to know, examples
  Run (*declare)(CLI::App& app);  // adds options and arguments; what it returns runs the command
};

std::span<const CommandRow> command_rows();

// One function for each row.
Run declare_submit(CLI::App& app);
Run declare_map(CLI::App& app);
Run declare_run(CLI::App& app);
Run declare_wait(CLI::App& app);
Run declare_result(CLI::App& app);
Run declare_show(CLI::App& app);
Run declare_why(CLI::App& app);
Run declare_ls(CLI::App& app);
Run declare_cancel(CLI::App& app);
Run declare_release(CLI::App& app);
Run declare_dlq_ls(CLI::App& app);
Run declare_dlq_show(CLI::App& app);
Run declare_autopsy(CLI::App& app);
Run declare_dlq_retry(CLI::App& app);
Run declare_dlq_rm(CLI::App& app);
Run declare_dlq_export(CLI::App& app);
Run declare_dlq_import(CLI::App& app);
Run declare_alerts_ls(CLI::App& app);
Run declare_alerts_ack(CLI::App& app);
Run declare_clean(CLI::App& app);
Run declare_backup(CLI::App& app);
Run declare_status(CLI::App& app);
Run declare_workers(CLI::App& app);
Run declare_worker(CLI::App& app);
Run declare_types(CLI::App& app);
Run declare_check(CLI::App& app);
Run declare_heartbeat(CLI::App& app);
Run declare_log(CLI::App& app);
Run declare_events(CLI::App& app);
Run declare_restart(CLI::App& app);
Run declare_scale(CLI::App& app);
Run declare_pause(CLI::App& app);
Run declare_resume(CLI::App& app);
Run declare_breaker_ls(CLI::App& app);
Run declare_breaker_open(CLI::App& app);
Run declare_breaker_close(CLI::App& app);
Run declare_ping(CLI::App& app);
Run declare_drain(CLI::App& app);
Run declare_stop(CLI::App& app);
Run declare_config_show(CLI::App& app);
Run declare_config_check(CLI::App& app);
Run declare_bench_throughput(CLI::App& app);
Run declare_bench_latency(CLI::App& app);
Run declare_bench_reuse(CLI::App& app);
Run declare_bench_durable(CLI::App& app);
Run declare_completions(CLI::App& app);
Run declare_help(CLI::App& app);
Run declare_version(CLI::App& app);

}  // namespace warmpool::cli
