// What reuse is worth: tasks given to warm workers, and the same work with a process for each task.
// The process side is given every advantage: nobody captures its output, retries or queues, and it
// runs before the pool is started, on an idle machine.
#include <algorithm>
#include <memory>
#include <thread>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "client/cli/bench_load.hpp"
#include "client/cli/command.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/private_daemon.hpp"
#include "client/cli/process_run.hpp"
#include "client/cli/requests.hpp"

namespace warmpool::cli {

namespace {

using nlohmann::ordered_json;

constexpr char kPython[] = "/usr/bin/python3";
constexpr char kNative[] = "/bin/echo";
constexpr std::uint64_t kPayloadBytes = 64, kOutstanding = 64;
// A process for each task is slow: so many are enough for a mean.
constexpr std::uint64_t kNativeProcessesMax = 2'000, kPythonProcessesMax = 60;
constexpr std::uint64_t kPythonTasksMax = 20'000;

// Both in one file: a worker by docs/protocol.md, and with an argument the same handler once.
constexpr char kScript[] =
    R"(import base64, collections, csv, datetime, decimal, email, hashlib, html
import http.client, json, logging, random, re, sqlite3, sys, urllib.request, uuid, xml.dom.minidom

def handle(payload):
    words = re.findall(rb"\w+", payload)
    return json.dumps({"words": len(words), "sha256": hashlib.sha256(payload).hexdigest()}).encode()

if len(sys.argv) > 1:
    sys.stdout.buffer.write(handle(sys.argv[1].encode()))
    sys.exit(0)

import os, socket, struct
head = struct.Struct("<IHBBQQHHHBB")
channel = socket.socket(fileno=int(os.environ["WARMPOOL_CHANNEL"]))
incoming = channel.makefile("rb", buffering=1 << 16)

def send(kind, flags, id, token, round, attempt, type, credits, meta, payload):
    bytes = len(meta) + len(payload)
    header = head.pack(bytes, len(meta), kind, flags, id, token, round, attempt, type, credits, 0)
    channel.sendall(header + meta + payload)

# hello: role worker, version 1, feature credits
send(1, 0, int(os.environ["WARMPOOL_WORKER"]), int(os.environ["WARMPOOL_TOKEN"]), 0, 0, 0, 16,
     b"\x94\x01\x01\x01\x01", b"")
while True:
    header = incoming.read(32)
    if len(header) < 32:
        break
    bytes, meta, kind, flags, id, token, round, attempt, type, credits, _ = head.unpack(header)
    body = incoming.read(bytes)
    if kind == 48:  # assign -> done
        send(64, 2, id, token, round, attempt, 0, 0, b"", handle(body[meta:]))
    elif kind == 51:  # retire
        break
)";

// A process for each task keeps nothing on disk, so neither does the pool here.
constexpr char kReusePool[] = R"(log_level = "warn"
store = "volatile"
[[class]]
name = "native"
command = ["@BIN@/warmpool-worker"]
types = ["echo"]
size = @N@
credits = 16
)";
constexpr char kPythonClass[] = R"([[class]]
name = "python"
command = ["/usr/bin/python3", "@DIR@/handler.py"]
types = ["python"]
size = @N@
credits = 16
beatless = true
)";

std::string with_size(std::string text, std::uint64_t workers) {
  for (std::size_t at = 0; (at = text.find("@N@")) != std::string::npos;) {
    text.replace(at, 3, std::to_string(workers));
  }
  return text;
}

double per_task(std::chrono::nanoseconds elapsed, std::uint64_t tasks) {
  return static_cast<double>(elapsed.count()) /
         static_cast<double>(std::max<std::uint64_t>(tasks, 1));
}

struct ReuseCommand {
  std::uint64_t tasks = 20'000, workers = 0;
  bool no_python = false;

  int run(Context& context) const {
    ReuseCommand with = *this;
    if (with.workers == 0) with.workers = std::max(2U, std::thread::hardware_concurrency());
    // What is interrupted ends its daemon first.
    Interrupts interrupts;
    auto document = with.measure(context, interrupts);
    if (!document && interrupts.count() > 0) return kInterrupted;
    if (!document) return context.fail(document.error());
    const bool good = document->at("failed") == 0 && document->at("zombies") == 0;
    const int printed = print_document(context, document->dump(), {});
    return printed == kOk && !good ? kFailed : printed;
  }

  // The process side first: the daemon's workers would take part of the machine.
  Result<ordered_json> measure(Context& context, Interrupts& interrupts) const {
    const bool given = !context.globals().socket.empty();
    const bool python = !given && !no_python && ::access(kPython, X_OK) == 0;
    PrivateDaemon daemon;
    if (auto added = daemon.add_file("handler.py", kScript); !added) return added.error();
    const std::string payload(kPayloadBytes, 'x');
    const std::vector<std::string> native{kNative, payload};
    auto native_run =
        run_processes(native, std::min(tasks, kNativeProcessesMax), workers, interrupts);
    if (!native_run) return native_run.error();
    ProcessRun python_run;
    if (python) {
      const std::vector<std::string> words{kPython, daemon.directory() + "/handler.py", payload};
      auto ran = run_processes(words, std::min(tasks, kPythonProcessesMax), workers, interrupts);
      if (!ran) return ran.error();
      python_run = *ran;
    }
    client::ConnectOptions options;
    options.socket = context.globals().socket;
    if (!given) {
      const auto started = daemon.start(
          with_size(std::string(kReusePool) + (python ? kPythonClass : ""), workers), interrupts);
      if (!started) return started.error();
      options.socket = daemon.socket();
    }
    auto client = client::Client::connect(options);
    if (!client) return client.error();
    return measure_pool(*client, given, *native_run, python ? &python_run : nullptr, interrupts);
  }

  Result<ordered_json> measure_pool(client::Client& client, bool given,
                                    const ProcessRun& native_run, const ProcessRun* python_run,
                                    Interrupts& interrupts) const {
    auto before = status_of(client);
    if (!before) return before.error();
    ordered_json document{{"schema", 1},          {"bench", "reuse"},
                          {"workers", workers},   {"in_flight", kOutstanding},
                          {"tasks", tasks},       {"attempts", 0},
                          {"spawns", 0},          {"reuse_rate", 0.0},
                          {"overhead_gain", 0.0}, {"failed", 0}};
    auto native = side(client, "echo", "native", tasks, native_run, document, interrupts);
    if (!native) return native.error();
    document["overhead_gain"] = native->at("gain");
    document["native"] = std::move(*native);
    document["interpreted"] = nullptr;
    if (python_run != nullptr) {
      const auto count = std::min(tasks, kPythonTasksMax);
      auto interpreted = side(client, "python", "python", count, *python_run, document, interrupts);
      if (!interpreted) return interpreted.error();
      document["interpreted"] = std::move(*interpreted);
    }
    auto after = status_of(client);
    if (!after) return after.error();
    // Of a daemon of our own all spawns count, also the first.
    const auto figure = [&](const char* name) {
      const auto begun = given ? before->at("performance").at(name).get<std::uint64_t>() : 0;
      return after->at("performance").at(name).get<std::uint64_t>() - begun;
    };
    const auto attempts = figure("attempts"), spawns = figure("workers_spawned");
    document["attempts"] = attempts;
    document["spawns"] = spawns;
    document["reuse_rate"] =
        attempts > spawns
            ? rounded(static_cast<double>(attempts - spawns) / static_cast<double>(attempts))
            : 0.0;
    document["processes_before"] = before->at("workers").at("processes");
    document["processes_after"] = after->at("workers").at("processes");
    document["zombies"] = zombies_of(after->at("pid").get<std::int64_t>());
    return document;
  }

  // One kind of handler, both ways.
  static Result<ordered_json> side(client::Client& client, const std::string& type,
                                   const std::string& worker_class, std::uint64_t count,
                                   const ProcessRun& processes, ordered_json& document,
                                   Interrupts& interrupts) {
    // A daemon learns how short a type is from its first runs.
    auto warm =
        run_load(client, {type, std::min<std::uint64_t>(count, 500), kOutstanding, kPayloadBytes},
                 &interrupts);
    if (!warm) return warm.error();
    auto measured = run_load(client, {type, count, kOutstanding, kPayloadBytes}, &interrupts);
    if (!measured) return measured.error();
    document["failed"] = document["failed"].get<std::uint64_t>() + measured->failed + warm->failed +
                         processes.failed;
    const double pool = per_task(measured->elapsed, count);
    const double process = per_task(processes.elapsed, processes.processes);
    ordered_json figures{{"pool_tasks", count},
                         {"pool_ns_per_task", static_cast<std::uint64_t>(pool)},
                         {"process_tasks", processes.processes},
                         {"process_ns_per_task", static_cast<std::uint64_t>(process)},
                         {"gain", rounded(process / pool)}};
    const auto rss = pool_rss(client, worker_class);
    const auto of_processes = processes.rss_bytes_max * kOutstanding;
    figures["pool_rss_bytes"] = rss;
    figures["process_rss_bytes"] = of_processes;
    figures["memory_gain"] =
        rss == 0 ? 0.0 : rounded(static_cast<double>(of_processes) / static_cast<double>(rss));
    return figures;
  }

  static Result<ordered_json> status_of(client::Client& client) {
    const auto text = client.status(reply_deadline());
    if (!text) return text.error();
    auto parsed = ordered_json::parse(*text, nullptr, false);
    if (!parsed.is_object()) return Error{0, "the daemon's answer is no JSON"};
    return parsed;
  }

  // Of the daemon and the workers of this class (of a given daemon: of all its workers).
  static std::uint64_t pool_rss(client::Client& client, const std::string& worker_class) {
    const auto status = status_of(client);
    const auto text = client.request({.verb = ipc::Verb::Workers}, reply_deadline());
    if (!status || !text) return 0;
    std::uint64_t bytes = peak_rss_bytes(status->at("pid").get<std::int64_t>());
    const auto rows = ordered_json::parse(*text, nullptr, false).at("workers");
    const bool known = std::any_of(
        rows.begin(), rows.end(), [&](const auto& row) { return row.at("class") == worker_class; });
    for (const auto& row : rows) {
      const bool counts = !known || row.at("class") == worker_class;
      if (counts && row.at("pid").is_number()) {
        bytes += peak_rss_bytes(row.at("pid").template get<std::int64_t>());
      }
    }
    return bytes;
  }
};

}  // namespace

Run declare_bench_reuse(CLI::App& app) {
  auto command = std::make_shared<ReuseCommand>();
  add_number(app, "--tasks", command->tasks, "N", "how many tasks [20000]")
      .within(1, 1'000'000'000);
  add_number(app, "--workers", command->workers, "N",
             "workers, and processes at once [one a processor, at least 2]")
      .within(1, 1'000);
  add_flag(app, "--no-python", command->no_python, "leave the interpreted handler out");
  return [command](Context& context) { return command->run(context); };
}

}  // namespace warmpool::cli
