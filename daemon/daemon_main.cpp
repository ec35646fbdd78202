// warmpoold: reads its arguments and its configuration, takes its place, and runs until it is told
// to stop. Every way not to start has its exit status: exit_status.hpp.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <signal.h>
#include <string>
#include <vector>

#include "daemon/class_grants.hpp"
#include "daemon/config/arguments.hpp"
#include "daemon/config/check_config.hpp"
#include "daemon/config/environment.hpp"
#include "daemon/daemon.hpp"
#include "daemon/out_of_memory.hpp"
#include "daemon/private_place.hpp"
#include "daemon/process/linux_processes.hpp"
#include "daemon/record/replayer.hpp"
#include "daemon/startup.hpp"
#include "ipc/freed_memory.hpp"

namespace warmpool::daemon {
namespace {

int fail(const Error& error) {
  std::fprintf(stderr, "warmpoold: %s\n", error.text.c_str());
  return error.code;
}

int check(const Sources& sources, bool json) {
  Problems problems;
  const auto configuration = load_configuration(sources, problems);
  std::vector<std::optional<Identity>> identities;
  auto fault = problems.empty() ? find_identities(configuration, identities) : std::nullopt;
  if (problems.empty() && !fault) fault = resource_fault(configuration);
  if (fault) problems.push_back(fault->problem);
  const auto text =
      json ? check_json(configuration, problems) : check_text(configuration, problems);
  std::fputs(text.c_str(), json || problems.empty() ? stdout : stderr);
  if (fault) return static_cast<int>(fault->status);
  return static_cast<int>(problems.empty() ? ExitStatus::Ok : ExitStatus::Configuration);
}

void reload(Daemon& daemon, Log& log, const Sources& sources) {
  daemon.begin_reload();
  daemon.reopen_log();
  log.info("reading the configuration again");
  Problems problems;
  const auto fresh = load_configuration(sources, problems);
  if (problems.empty()) {
    daemon.reload(fresh);
    return daemon.end_reload("the configuration was read again");
  }
  for (const auto& problem : problems) log.error(problem_text(problem));
  log.error("the configuration is wrong; the one before stays");
  daemon.end_reload("the configuration is wrong; the one before stays");
}

Result<void> watch_signals(Daemon& daemon, Log& log, const Sources& sources,
                           std::optional<PrivatePlace>& own) {
  const auto handle = [&daemon, &log, &sources, &own](int number) {
    log.info("got SIG" + std::string(::sigabbrev_np(number)));
    if (number == SIGTERM || number == SIGINT) daemon.stop(false);
    if (number == SIGQUIT && own) own->expect_end();
    if (number == SIGQUIT) daemon.stop(true);
    if (number == SIGHUP && !daemon.stopping()) reload(daemon, log, sources);
    if (number == SIGUSR1) daemon.reopen_log();
  };
  auto watched = daemon.reactor().on_signals({SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1}, handle);
  if (!watched) {
    return exit_error(ExitStatus::System, "cannot watch signals: " + watched.error().text);
  }
  if (own) own->follow();
  return {};
}

void say_beginning(Log& log, const Configuration& configuration, const std::string& swept) {
  log.info(std::string(kServerName) + " begins");
  for (const auto& file : configuration.files) log.info("read " + file);
  for (const auto& note : configuration.notes) log.info(note);
  for (const auto& warning : config_warnings(configuration)) log.info(warning);
  if (!swept.empty()) log.warn(swept);
}

void say_store(Log& log, const OpenStore& opened) {
  if (!opened.place) return;
  const auto& path = opened.place->directory.path();
  const auto figures = opened.store->figures();
  log.info("the store in " + path + " has " + std::to_string(figures.live) + " tasks that wait, " +
           std::to_string(figures.dead) + " dead letters, " + std::to_string(figures.finished) +
           " results");
  if (opened.place->in_memory) {
    log.warn("the state directory " + path +
             " is in memory (tmpfs) and does not outlive a reboot; give --state-dir on a disk");
  }
  for (const auto& what : opened.store->found()) log.warn(what);
  for (const auto task : opened.store->damaged()) {
    log.error("task " + std::to_string(task.value) +
              ": what the store holds of it is damaged; it is a dead letter, or has no result");
  }
}

// By which processes of earlier lives are known.
std::vector<std::string> places_of(const Place& place, const OpenStore& opened) {
  std::vector<std::string> places{place.directory.path()};
  if (opened.place) places.insert(places.begin(), opened.place->directory.path());
  return places;
}

// Who started this daemon for itself alone.
using Owner = std::optional<pid_t>;

// Nothing where nobody asked for it. Errors: that of the place too.
Result<std::optional<PrivatePlace>> take_private(const Configuration& configuration,
                                                 const Result<Place>& place, Owner owner) {
  if (!place) return place.error();
  if (!owner) return std::optional<PrivatePlace>();
  const auto& options = configuration.pool.values;
  auto files = configuration.files;
  files.push_back(options.log_file);
  auto taken = PrivatePlace::take(place->directory.path(), *owner, files);
  if (!taken) return exit_error(ExitStatus::CannotCreate, taken.error().text);
  if (options.store != "volatile" && options.state_dir.empty()) {
    return exit_error(ExitStatus::Configuration,
                      "what the store keeps would go with the runtime directory of --private: "
                      "give --store volatile, or a --state-dir elsewhere");
  }
  return std::optional<PrivatePlace>(std::move(*taken));
}

// Empty: tasks are kept in memory alone.
std::string state_directory_of(const OpenStore& opened) {
  return opened.place ? opened.place->directory.path() : std::string();
}

Result<void> serve(const Sources& sources, Configuration configuration, Owner owner) {
  if (auto fitted = fit_descriptors(configuration); !fitted) return fitted;
  const auto& options = configuration.pool.values;
  auto log = open_log(options.log_file, options.log_level);
  if (!log) return exit_error(ExitStatus::CannotCreate, log.error().text);
  auto identities = grant_classes(configuration);
  if (!identities) return identities.error();
  auto place = take_place(options);
  auto own = take_private(configuration, place, owner);
  if (!own) return own.error();
  auto fifos = take_fifo_place(configuration, *identities, *place);
  if (!fifos) return fifos.error();
  const auto* fifo_directory = *fifos ? &(*fifos)->directory : nullptr;
  SystemTime time;
  auto opened = open_store(options, *place, time);
  if (!opened) return opened.error();
  std::string swept;
  const auto hidden = hidden_workers(configuration, *identities);
  const auto runtime_dir = place->directory.path();
  auto processes = start_processes(configuration, places_of(*place, *opened), fifo_directory,
                                   sources.program_directory, hidden_users(*identities), swept);
  if (!processes) return processes.error();
  auto directories = take_directories(configuration, *identities, *place, *opened);
  if (!directories) return directories.error();
  auto listener = ipc::Listener::open(place->directory, place->lock);
  if (!listener) return exit_error(ExitStatus::CannotCreate, listener.error().text);

  auto recording = open_recorder(options, *place, *opened, **log);
  if (!recording) return recording.error();
  say_beginning(**log, configuration, swept);
  for (const auto& warning : hidden) (*log)->warn(warning);
  ServiceNotifier notifier(sources.environment);
  const auto socket_path = listener->path();
  const bool publishes = options.board;
  const auto state_dir = state_directory_of(*opened);
  const auto& kept_dir = state_dir.empty() ? runtime_dir : state_dir;
  const auto attempts_path = state_dir.empty() ? state_dir : state_dir + "/registered.attempts";
  Daemon daemon({std::move(configuration), std::move(*identities), opened->life, opened->begin,
                 place->group, socket_path, kept_dir + "/dead-letters.jsonl", fifo_directory,
                 attempts_path, state_dir, std::move(*directories)},
                {**log, time, **processes, *opened->store, notifier, recording->recorder.get()});
  if (auto recovered = daemon.recover(); !recovered) return recovered;
  say_store(**log, *opened);
  if (publishes) daemon.publish_in(board_place(*place));
  auto acceptor = std::make_unique<Acceptor>(
      daemon.reactor(), **log, std::move(place->directory), std::move(place->lock),
      std::move(*listener), [&daemon](ipc::UniqueFd fd) { daemon.adopt(std::move(fd)); });
  if (auto watched = watch_signals(daemon, **log, sources, *own); !watched) return watched;
  daemon.serve(std::move(acceptor));
  (*log)->info("listening on " + socket_path);
  (*log)->flush();
  daemon.run();
  (*log)->flush();
  auto closed = opened->store->close();
  if (daemon.broken()) return *daemon.broken();
  if (!closed) (*log)->error("the store: " + closed.error().text);
  return closed;
}

Result<void> restore(const Configuration& configuration, const std::string& file) {
  const auto& options = configuration.pool.values;
  auto place = take_place(options);
  if (!place) return place.error();
  const auto restored = restore_state(options, *place, file);
  if (!restored) return restored.error();
  std::printf("%s\n", restored->c_str());
  return {};
}

// A core that ends the process in the middle of it is what a recording may be about.
void flush_at_abort(int) { std::fflush(stdout); }

Result<void> replay(const Arguments& arguments) {
  ReplayOptions options{*arguments.replay, {}, {}, {}};
  const auto wrong = [](std::string_view name, const std::string& value, std::string_view allowed) {
    return exit_error(ExitStatus::Usage, "--" + std::string(name) + " is '" + value + "'; give " +
                                             std::string(allowed));
  };
  constexpr std::string_view seconds = "seconds as the trace has them, such as 12.5";
  if (arguments.from && !(options.from = parse_instant(*arguments.from))) {
    return wrong("from", *arguments.from, seconds);
  }
  if (arguments.until && !(options.until = parse_instant(*arguments.until))) {
    return wrong("until", *arguments.until, seconds);
  }
  if (arguments.task && !(options.task = parse_task(*arguments.task))) {
    return wrong("task", *arguments.task, "an id, or life and number as the trace has them");
  }
  ::signal(SIGABRT, flush_at_abort);
  Replayer replayer(options, stdout);
  auto ran = replayer.run();
  if (std::fflush(stdout) != 0) {
    return exit_error(ExitStatus::System,
                      "cannot write the trace: " + std::string(std::strerror(errno)));
  }
  return ran;
}

int run(std::span<const std::string> words) {
  if (auto prepared = prepare_process(); !prepared) return fail(prepared.error());
  auto arguments = parse_arguments(words);
  if (!arguments) {
    return fail(exit_error(ExitStatus::Usage, arguments.error().text));
  }
  Owner owner;
  if (arguments->is_private) owner = begin_as_private(arguments->owner);
  if (arguments->help) return std::fputs(help_text().c_str(), stdout), 0;
  if (arguments->man) return std::fputs(manual_roff().c_str(), stdout), 0;
  if (arguments->version) return std::printf("%s\n", kServerName), 0;
  if (arguments->replay) {
    const auto replayed = replay(*arguments);
    return replayed ? static_cast<int>(ExitStatus::Ok) : fail(replayed.error());
  }
  const Sources sources{program_directory(), arguments->config_file, arguments->settings,
                        environment_of_process()};
  if (arguments->check_config) return check(sources, arguments->json);
  Problems problems;
  auto configuration = load_configuration(sources, problems);
  for (const auto& problem : problems) {
    std::fprintf(stderr, "warmpoold: %s\n", problem_text(problem).c_str());
  }
  if (!problems.empty()) return static_cast<int>(ExitStatus::Configuration);
  if (arguments->restore) {
    const auto restored = restore(configuration, *arguments->restore);
    return restored ? static_cast<int>(ExitStatus::Ok) : fail(restored.error());
  }
  if (auto served = serve(sources, std::move(configuration), owner); !served) {
    return fail(served.error());
  }
  return static_cast<int>(ExitStatus::Ok);
}

}  // namespace
}  // namespace warmpool::daemon

int main(int argc, char** argv) {
  warmpool::daemon::end_without_memory();
  warmpool::ipc::keep_freed_memory();
  const std::vector<std::string> words(argv + 1, argv + argc);
  return warmpool::daemon::run(words);
}
