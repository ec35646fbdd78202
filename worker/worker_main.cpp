// The stock worker: the SDK, and the types of stock/. Its command line is read by hand: four
// options are no reason for a library in a program that is started by the hundred.
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ipc/freed_memory.hpp"
#include "worker/stock/lines.hpp"
#include "worker/stock/plugin.hpp"
#include "worker/stock/stock.hpp"
#include "worker/template.hpp"

namespace {

using warmpool::worker::Joining;
using warmpool::worker::kCreditsMax;
using warmpool::worker::Worker;
using warmpool::worker::stock::SpawnTie;

constexpr int kUsage = 2, kNotRunnable = 126, kNotFound = 127;

struct Command {
  bool help = false, version = false;
  std::optional<unsigned> credits;
  std::vector<std::string> types;
  std::string wrap, plugin;
  std::optional<warmpool::worker::stock::FifoPaths> fifos;
  int checkpoint_signal = 0;
  std::optional<Joining> joining;  // none: the daemon started it
  std::string worker_class;
  bool once = false;
  std::vector<std::string> program;
};

void print_help() {
  std::puts(
      "usage: warmpool-worker [--connect [SOCKET]] [--types A,B...] [--credits N]\n"
      "       warmpool-worker --wrap lines [--types A,B...] [--credits N] -- PROGRAM "
      "[ARGUMENT...]\n"
      "       warmpool-worker --wrap lines --fifos TO,FROM [--types A,B...] [--credits N]\n"
      "       warmpool-worker --plugin FILE.so [--types A,B...] [--credits N]\n\n"
      "The stock worker of warmpool. The daemon starts it and hands it a channel; name it in the\n"
      "`command` of a worker class. Or start it yourself with --connect, anywhere on this "
      "machine.\n"
      "Run tasks with: warmpool submit TYPE PAYLOAD\n\n"
      "options:\n"
      "  --connect [SOCKET]\n"
      "                 join a daemon that runs, at SOCKET or where clients look for it; SIGTERM\n"
      "                 finishes what is in hand and leaves; when the daemon ends, waits for it\n"
      "  --class NAME   with --connect: the class that it is a worker of (default: joined)\n"
      "  --once         with --connect: ends with the daemon\n"
      "  --wrap lines   keep PROGRAM running: it reads a line of JSON for each task and writes\n"
      "                 one back (docs/worker.md, any program); it is given all types of its "
      "class,\n"
      "                 with --connect those of --types\n"
      "  --fifos TO,FROM\n"
      "                 speak to a program that somebody else has started: it reads the FIFO TO\n"
      "                 and writes the FIFO FROM, which are made where they are missing\n"
      "  --checkpoint-signal NAME\n"
      "                 USR1 or USR2: what PROGRAM gets when a checkpoint is wanted\n"
      "  --plugin FILE  handle the types of this shared object in place of those below\n"
      "                 (docs/worker.md, plug-ins)\n"
      "  --types A,B    handle only these types (default: all)\n"
      "  --credits N    short tasks it may hold at once, 1 to 64 (default:\n"
      "                 WARMPOOL_CREDITS, else 64, or 1 with --plugin and --wrap, so\n"
      "                 that what they print is known to be of the task that they\n"
      "                 have); the class's `credits` may allow fewer\n"
      "  --help, --version\n\n"
      "types:");
  for (const auto& type : warmpool::worker::stock::types()) {
    std::printf("  %-12.*s %.*s\n", static_cast<int>(type.name.size()), type.name.data(),
                static_cast<int>(type.help.size()), type.help.data());
  }
  std::puts(
      "\nexit status: 0 retired, 2 usage or not started by a daemon, 69 the daemon is gone,\n"
      "71 out of descriptors or threads, 76 the protocol was broken; with --wrap and --plugin 126\n"
      "or 127 if the program cannot be run or found, the plug-in loaded or found; with --wrap the\n"
      "program's own if it ends within a task");
}

int refuse(const std::string& why) {
  std::fprintf(stderr, "warmpool-worker: %s; see: warmpool-worker --help\n", why.c_str());
  return kUsage;
}

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> parts;
  for (;;) {
    const auto comma = list.find(',');
    parts.emplace_back(list.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    list.remove_prefix(comma + 1);
  }
}

// An error text when it is wrong.
std::optional<std::string> set(Command& command, std::string_view name, std::string_view value) {
  if (name == "--types") {
    command.types = split(value);
    return std::nullopt;
  }
  if (name == "--class") {
    command.worker_class = value;
    return std::nullopt;
  }
  if (name == "--wrap") {
    command.wrap = value;
    if (value == "lines") return std::nullopt;
    return "--wrap takes \"lines\", not \"" + std::string(value) + '"';
  }
  if (name == "--fifos") {
    const auto comma = value.find(',');
    if (comma == std::string_view::npos || comma == 0 || comma + 1 == value.size()) {
      return "--fifos takes two paths with a comma between them";
    }
    command.fifos = warmpool::worker::stock::FifoPaths{std::string(value.substr(0, comma)),
                                                       std::string(value.substr(comma + 1))};
    return std::nullopt;
  }
  if (name == "--checkpoint-signal") {
    command.checkpoint_signal = value == "USR1" ? SIGUSR1 : value == "USR2" ? SIGUSR2 : 0;
    if (command.checkpoint_signal != 0) return std::nullopt;
    return "--checkpoint-signal takes USR1 or USR2, not \"" + std::string(value) + '"';
  }
  if (name == "--plugin") {
    command.plugin = value;
    if (!value.empty()) return std::nullopt;
    return "--plugin takes the path of a shared object";
  }
  unsigned credits = 0;
  const char* end = value.data() + value.size();
  const auto [stop, fault] = std::from_chars(value.data(), end, credits);
  if (fault != std::errc{} || stop != end || credits < 1 || credits > kCreditsMax) {
    return "--credits takes a whole number from 1 to 64, not \"" + std::string(value) + '"';
  }
  command.credits = credits;
  return std::nullopt;
}

std::optional<std::string> read_command(int argc, char** argv, Command& command) {
  for (int i = 1; i < argc; ++i) {
    std::string_view name = argv[i];
    std::optional<std::string_view> value;
    if (name == "--") {
      command.program.assign(argv + i + 1, argv + argc);
      break;
    }
    if (const auto equals = name.find('='); equals != std::string_view::npos) {
      value = name.substr(equals + 1);
      name = name.substr(0, equals);
    }
    if (name == "--help" || name == "-h") {
      command.help = true;
    } else if (name == "--version") {
      command.version = true;
    } else if (name == "--once") {
      command.once = true;
    } else if (name == "--connect") {
      if (!value && i + 1 < argc && argv[i + 1][0] != '-') value = argv[++i];
      command.joining.emplace().socket = value.value_or("");
    } else if (name == "--class" || name == "--types" || name == "--credits" || name == "--wrap" ||
               name == "--plugin" || name == "--fifos" || name == "--checkpoint-signal") {
      if (!value && i + 1 < argc) value = argv[++i];
      if (!value) return std::string(name) + " needs a value";
      if (auto wrong = set(command, name, *value)) return wrong;
    } else {
      return "unknown argument " + std::string(name);
    }
  }
  if (!command.joining && (command.once || !command.worker_class.empty())) {
    return "--class and --once are for a worker that connects by itself; add --connect";
  }
  if (command.joining) {
    command.joining->reconnect = !command.once;
    if (!command.worker_class.empty()) command.joining->worker_class = command.worker_class;
  }
  if (command.fifos && (!command.program.empty() || command.checkpoint_signal != 0)) {
    return "--fifos are for a program that is somebody else's; give no other, and no signal";
  }
  if (!command.wrap.empty() && command.program.empty() && !command.fifos && !command.help) {
    return "--wrap needs a program after \"--\", or --fifos";
  }
  if (!command.wrap.empty() && command.joining && command.types.empty() && !command.help) {
    return "--connect with --wrap lines needs --types: which task types PROGRAM handles";
  }
  if (!command.wrap.empty() && !command.plugin.empty()) {
    return "--wrap and --plugin are two kinds of worker; give one";
  }
  if (command.wrap.empty() && !command.program.empty()) {
    return "a program after \"--\" needs --wrap lines";
  }
  if (command.wrap.empty() && (command.fifos || command.checkpoint_signal != 0)) {
    return "--fifos and --checkpoint-signal need --wrap lines";
  }
  return std::nullopt;
}

// What cannot run is told before the first task, by the end of this worker.
int refuse_to_start(const warmpool::Error& error) {
  std::fprintf(stderr, "warmpool-worker: %s\n", error.text.c_str());
  return error.code == ENOENT ? kNotFound : kNotRunnable;
}

int run(Worker& worker, const Command& command) {
  if (command.credits) worker.set_credits(*command.credits);
  return command.joining ? worker.join(*command.joining) : worker.run();
}

// A process for each task is no reuse, and is counted as what it is.
warmpool::worker::Handler counted(warmpool::worker::Handler exec) {
  return [exec = std::move(exec),
          started = std::int64_t{0}](warmpool::worker::Context& context) mutable {
    context.gauge("processes_started", ++started);
    return exec(context);
  };
}

int run_wrapped(Command& command) {
  if (warmpool::worker::is_template()) {
    return refuse(
        "a program that is kept (--wrap) cannot be forked; take `preload` out of its class");
  }
  const auto tie = command.joining ? SpawnTie::Death : SpawnTie::None;
  using warmpool::worker::stock::Lines;
  auto lines = command.fifos ? Lines(std::move(*command.fifos))
                             : Lines(std::move(command.program), tie, command.checkpoint_signal);
  if (const auto started = lines.start(); !started) return refuse_to_start(started.error());
  Worker worker("warmpool-worker");
  if (command.types.empty()) command.types.emplace_back(warmpool::worker::kAnyType);
  for (const auto& type : command.types) {
    worker.handle(type,
                  [&lines](warmpool::worker::Context& context) { return lines.run(context); });
  }
  return run(worker, command);
}

}  // namespace

int main(int argc, char** argv) {
  warmpool::ipc::keep_freed_memory();
  Command command;
  if (const auto wrong = read_command(argc, argv, command)) return refuse(*wrong);
  if (command.help) {
    print_help();
    return 0;
  }
  if (command.version) {
    std::puts("warmpool-worker " WARMPOOL_VERSION);
    return 0;
  }
  if (!command.wrap.empty()) return run_wrapped(command);
  Worker worker("warmpool-worker");
  warmpool::worker::Handlers handlers;
  if (command.plugin.empty()) {
    worker.prints_nothing();
    for (const auto& type : warmpool::worker::stock::types()) {
      handlers.emplace(type.name, type.handler);
    }
    const auto exec =
        command.joining ? warmpool::worker::stock::exec_tied : warmpool::worker::stock::exec;
    handlers.insert_or_assign("exec", counted(exec));
  } else {
    const auto forked = warmpool::worker::stock::load_plugin(command.plugin, handlers);
    if (!forked) return refuse_to_start(forked.error());
    if (*forked) worker.on_fork(*forked);
  }
  for (auto& [type, handler] : handlers) worker.handle(type, std::move(handler));
  if (!command.types.empty()) {
    if (const auto kept = worker.keep_only(command.types); !kept) return refuse(kept.error().text);
  }
  return run(worker, command);
}
