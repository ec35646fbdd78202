#include <algorithm>
#include <memory>

#include "client/cli/command.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/input.hpp"
#include "client/cli/map.hpp"

namespace warmpool::cli {

namespace {

constexpr std::uint64_t kInFlightMax = 1'000'000;

int run_map(Context& context, const MapOptions& options) {
  ipc::UniqueFd file;
  if (options.input != "-") {
    auto opened = open_to_read(options.input);
    if (!opened) return context.fail(kFailed, opened.error().text);
    file = std::move(*opened);
  }
  auto client = context.connect();
  if (!client) return context.fail(client.error());
  MapOptions bounded = options;
  bounded.in_flight = std::min(options.in_flight, client->daemon().in_flight_max);
  return Map(context, std::move(*client), bounded, file ? file.get() : context.in()).run();
}

}  // namespace

Run declare_map(CLI::App& app) {
  auto options = std::make_shared<MapOptions>();
  add_argument(app, "type", options->type, "the task type, see: warmpool types").required();
  add_text(app, "--input", options->input, "FILE", "a file, or '-': standard input [-]");
  add_number(app, "--in-flight", options->in_flight, "N", "tasks at once [256]")
      .within(1, kInFlightMax);
  add_flag(app, "--keep-order", options->keep_order, "results in the order of the input");
  add_text(app, "--progress", options->progress, "WHEN",
           "auto (on a terminal), always or never [auto]")
      .one_of({"auto", "always", "never"});
  options->task.declare(app);
  return [options](Context& context) { return run_map(context, *options); };
}

}  // namespace warmpool::cli
