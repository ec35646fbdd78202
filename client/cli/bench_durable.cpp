// What durable costs, beside servers that also sync before they answer: all take turns in each
// round on the same directory, and what is quoted is the median of the ratios within rounds.
#include <algorithm>
#include <array>
#include <cmath>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <poll.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "client/cli/bench_load.hpp"
#include "client/cli/command.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/private_daemon.hpp"
#include "client/cli/requests.hpp"
#include "client/cli/server_load.hpp"

namespace warmpool::cli {

namespace {

using nlohmann::ordered_json;
using std::chrono::steady_clock;

constexpr char kHeldType[] = "held";
constexpr char kConfiguration[] = R"(log_level = "warn"
[[class]]
name = "native"
command = ["@BIN@/warmpool-worker"]
types = ["echo", "held"]
size = 2
credits = 16
)";
constexpr std::chrono::seconds kStartMax{20};
constexpr std::uint64_t kSyncs = 200;
constexpr std::size_t kSyncBytes = 4096;
// So long nothing more is written before what was is counted, and others have their turn; but no
// longer than the last.
constexpr std::chrono::milliseconds kQuiet{2'300}, kQuietLook{50};
constexpr std::chrono::seconds kQuietMax{20};

// One measurement: of acceptance, or of the full cycle.
struct Case {
  bool cycle = false;
  std::uint64_t outstanding = 1;
  std::uint64_t divisor = 1;  // of the tasks of a round: slow ones take fewer
  friend auto operator<=>(const Case&, const Case&) = default;
};
constexpr std::array<Case, 4> kCases{
    {{false, 1, 40}, {false, 64, 1}, {false, 1'000, 1}, {true, 64, 1}}};

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// One server's figures of one case, a value each round.
struct Figures {
  std::vector<double> per_second, p50_ns, syncs, written, ratios;
};

class Peer {
 public:
  Peer(const PeerServer& server, std::string directory)
      : server_(server), directory_(std::move(directory)) {}

  // Errors: it is not installed or does not start.
  Result<void> start() {
    std::filesystem::create_directory(directory_);
    std::vector<std::string> words = server_.command;
    for (auto& word : words) {
      const auto at = word.find("@DIR@");
      if (at != std::string::npos) word.replace(at, 5, directory_);
    }
    if (auto spawned = process_.spawn(words, directory_ + "/log"); !spawned) return spawned;
    const auto deadline = steady_clock::now() + kStartMax;
    while (!Pipeline::connect(socket(), server_.read)) {
      if (process_.ended() || steady_clock::now() > deadline) {
        return Error{0, std::string(server_.name) + " did not start:\n" + process_.last_words()};
      }
      ::poll(nullptr, 0, 20);
    }
    return {};
  }

  Result<Accepting> measure(const Case& what, std::uint64_t tasks, Interrupts& interrupts) const {
    if (what.cycle) {
      const auto rate = measure_cycle(server_, socket(), tasks, what.outstanding, interrupts);
      if (!rate) return rate.error();
      return Accepting{.per_second = *rate};
    }
    auto client = greeted(socket(), server_.read, server_.greeting_of_holder);
    if (!client) return client.error();
    return measure_accepting(*client, server_.put_held, tasks, what.outstanding, interrupts);
  }

  const PeerServer& server() const { return server_; }
  std::map<Case, Figures> figures;

 private:
  std::string socket() const { return directory_ + "/socket"; }

  const PeerServer& server_;
  std::string directory_;
  Child process_;
};

// Median of a write of 4 KiB over what is there and its fdatasync, as in a log that is used again.
Result<double> measure_sync(const std::string& directory) {
  const std::string path = directory + "/sync";
  ipc::UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  const std::string block(kSyncBytes, 'x');
  bool good = bool(file);
  const auto write_at = [&](std::uint64_t place) {
    const auto offset = static_cast<off_t>(place * kSyncBytes);
    good = good && ::pwrite(file.get(), block.data(), block.size(), offset) ==
                       static_cast<ssize_t>(block.size());
  };
  for (std::uint64_t i = 0; i < kSyncs; ++i) write_at(i);
  good = good && ::fsync(file.get()) == 0;
  std::vector<double> took;
  for (std::uint64_t i = 0; i < kSyncs && good; ++i) {
    const auto begun = steady_clock::now();
    write_at(i);
    good = good && ::fdatasync(file.get()) == 0;
    took.push_back(std::chrono::duration<double, std::nano>(steady_clock::now() - begun).count());
  }
  ::unlink(path.c_str());
  if (!good) return Error{errno, "cannot write and sync " + path};
  return median(took);
}

// Bytes that a process has caused to be written to a disk; 0 where that is not told.
double written_bytes(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/io");
  for (std::string name; file >> name;) {
    double bytes = 0;
    file >> bytes;
    if (name == "write_bytes:") return bytes;
  }
  return 0;
}

class DurableBench {
 public:
  DurableBench(std::uint64_t tasks, std::uint64_t rounds, Durability durability, std::string base)
      : tasks_(tasks), rounds_(rounds), durability_(durability) {
    if (!base.empty()) daemon_.put_into(std::move(base));
  }

  Result<ordered_json> run(bool with_peers) {
    if (auto started = daemon_.start(kConfiguration, interrupts_); !started) return started.error();
    client::ConnectOptions options;
    options.socket = daemon_.socket();
    auto client = client::Client::connect(options);
    if (!client) return client.error();
    ipc::RequestMeta pause{.verb = ipc::Verb::Pause};
    pause.arguments[0] = std::string_view(kHeldType);
    if (const auto paused = client->request(pause, reply_deadline()); !paused) {
      return paused.error();
    }
    if (with_peers) start_peers();
    const auto sync = measure_sync(daemon_.directory());
    if (!sync) return sync.error();
    for (std::uint64_t round = 0; round < rounds_; ++round) {
      for (const Case& what : kCases) {
        if (auto measured = measure(*client, what); !measured) return measured.error();
      }
    }
    return document(*sync);
  }

  int interrupted() const { return interrupts_.count(); }

 private:
  void start_peers() {
    for (const PeerServer& server : peer_servers()) {
      auto peer = std::make_unique<Peer>(server, daemon_.directory() + "/" + server.name);
      if (const auto started = peer->start(); started) {
        peers_.push_back(std::move(peer));
      } else {
        missing_[server.name] = started.error().text;
      }
    }
  }

  Result<void> measure(client::Client& client, const Case& what) {
    const auto tasks = std::max(tasks_ / what.divisor, what.outstanding);
    const auto own = measure_own(client, what, tasks);
    if (!own) return own.error();
    for (const auto& peer : peers_) {
      const auto came = peer->measure(what, tasks, interrupts_);
      if (!came) return came.error();
      Figures& figures = peer->figures[what];
      figures.per_second.push_back(came->per_second);
      figures.p50_ns.push_back(static_cast<double>(came->p50_ns));
      figures.ratios.push_back(*own / came->per_second);
    }
    return {};
  }

  // Tasks a second.
  Result<double> measure_own(client::Client& client, const Case& what, std::uint64_t tasks) {
    const auto syncs = figure_of(client, "syncs");
    const double written = written_bytes(daemon_.pid());
    Accepting accepting;
    if (what.cycle) {
      Load wanted{"echo", tasks, what.outstanding, kJobBytes};
      wanted.durability = durability_;
      auto load = run_load(client, wanted, &interrupts_);
      if (!load) return load.error();
      if (load->failed > 0) return Error{0, std::to_string(load->failed) + " tasks failed"};
      accepting.per_second =
          static_cast<double>(tasks) / std::chrono::duration<double>(load->elapsed).count();
    } else {
      auto pipeline = Pipeline::connect(daemon_.socket(), read_warmpool);
      if (!pipeline) return pipeline.error();
      pipeline->say(warmpool_greeting(kHeldType));
      auto came = measure_accepting(*pipeline, warmpool_submit(durability_), tasks,
                                    what.outstanding, interrupts_);
      if (!came) return came.error();
      accepting = *came;
    }
    Figures& figures = figures_[what];
    figures.per_second.push_back(accepting.per_second);
    figures.p50_ns.push_back(static_cast<double>(accepting.p50_ns));
    const auto each = static_cast<double>(tasks);
    figures.syncs.push_back((figure_of(client, "syncs") - syncs) / each);
    if (auto quiet = wait_until_quiet(client); !quiet) return quiet.error();
    figures.written.push_back((written_bytes(daemon_.pid()) - written) / each);
    return accepting.per_second;
  }

  // What was accepted reaches the tables later: it belongs to what has caused it, and must not slow
  // down whose turn is next.
  Result<void> wait_until_quiet(client::Client& client) {
    const auto begun = steady_clock::now();
    double before = -1;
    for (auto since = begun; steady_clock::now() - begun < kQuietMax;) {
      const double now = written_bytes(daemon_.pid());
      if (now != before || figure_of(client, "ahead") > 0) since = steady_clock::now();
      before = now;
      if (steady_clock::now() - since > kQuiet) break;
      ::poll(nullptr, 0, static_cast<int>(kQuietLook.count()));
      if (interrupts_.take()) return Error{0, "interrupted"};
    }
    return {};
  }

  // Of the store, in the daemon's status.
  static double figure_of(client::Client& client, const char* name) {
    const auto text = client.status(reply_deadline());
    const auto parsed = text ? ordered_json::parse(*text, nullptr, false) : ordered_json();
    if (!parsed.is_object() || !parsed.contains("store")) return 0;
    return parsed["store"].value(name, 0.0);
  }

  ordered_json document(double sync_ns) const {
    ordered_json cases = ordered_json::array();
    for (const Case& what : kCases) {
      const Figures& own = figures_.at(what);
      ordered_json row{{"measured", what.cycle ? "cycle" : "acceptance"},
                       {"outstanding", what.outstanding},
                       {"tasks_per_second", std::llround(median(own.per_second))},
                       {"syncs_per_task", rounded(median(own.syncs))},
                       {"written_per_task_bytes", std::llround(median(own.written))}};
      if (what.outstanding == 1) {
        row["p50_ns"] = std::llround(median(own.p50_ns));
        row["p50_in_syncs"] = rounded(median(own.p50_ns) / sync_ns);
      }
      for (const auto& peer : peers_) {
        const std::string name = peer->server().name;
        const Figures& its = peer->figures.at(what);
        row[name + "_per_second"] = std::llround(median(its.per_second));
        row["times_" + name] = rounded(median(its.ratios));
      }
      cases.push_back(std::move(row));
    }
    ordered_json peers = ordered_json::object();
    for (const auto& peer : peers_) peers[peer->server().name] = peer->server().settings;
    for (const auto& [name, why] : missing_) peers[name] = "not measured: " + why;
    return {{"schema", 1},
            {"bench", "durable"},
            {"directory", std::filesystem::path(daemon_.directory()).parent_path().string()},
            {"rounds", rounds_},
            {"durability", name_of(durability_)},
            {"payload_bytes", kJobBytes},
            {"fdatasync_ns", std::llround(sync_ns)},
            {"cases", std::move(cases)},
            {"peers", std::move(peers)}};
  }

  std::uint64_t tasks_, rounds_;
  Durability durability_;
  Interrupts interrupts_;
  PrivateDaemon daemon_;
  std::vector<std::unique_ptr<Peer>> peers_;  // within the daemon's directory
  std::map<std::string, std::string> missing_;
  std::map<Case, Figures> figures_;
};

struct DurableCommand {
  std::uint64_t tasks = 20'000, rounds = 5;
  std::string directory, durability = "full";
  bool no_peers = false;

  int run(Context& context) const {
    const auto kept = find_word<Durability>(durability).value();
    DurableBench bench(tasks, rounds, kept, directory);
    // What the others do is full.
    auto document = bench.run(!no_peers && kept == Durability::Full);
    if (!document && bench.interrupted() > 0) return kInterrupted;
    if (!document) return context.fail(document.error());
    return print_document(context, document->dump(), {});
  }
};

}  // namespace

Run declare_bench_durable(CLI::App& app) {
  auto command = std::make_shared<DurableCommand>();
  add_number(app, "--tasks", command->tasks, "N", "tasks of a measurement [20000]")
      .within(1'000, 1'000'000);
  add_number(app, "--rounds", command->rounds, "N", "rounds; medians of them are told [5]")
      .within(1, 1'000);
  add_text(app, "--directory", command->directory, "DIR",
           "on the disk to be measured [TMPDIR, else /tmp]");
  add_text(app, "--durability", command->durability, "WHAT",
           "full, relaxed or none; the others are measured beside full only [full]")
      .one_of({"full", "relaxed", "none"});
  add_flag(app, "--no-peers", command->no_peers, "leave the other servers out");
  return [command](Context& context) { return command->run(context); };
}

}  // namespace warmpool::cli
