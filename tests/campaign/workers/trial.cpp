// A fault is timed from the moment at which it was made to the moment at which a client was told of
// it: what a user sees, with the daemon's loop, the socket and this program's own scheduling in it.
#include "tests/campaign/workers/trial.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <poll.h>

#include "tests/campaign/judge.hpp"
#include "tests/campaign/workers/process_table.hpp"
#include "tests/support/places.hpp"

namespace warmpool::campaign {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

// Whatever becomes of this program, its daemon ends with it, and with that its workers.
const std::string kDiesWithUs = "setpriv --pdeathsig KILL ";
const std::string kNoCgroups = "unshare --mount sh -c 'umount -a -t cgroup2; exec \"$@\"' sh ";

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

std::string with_directory(std::string text, const std::string& directory) {
  for (std::size_t at = 0; (at = text.find('@', at)) != std::string::npos; at += directory.size()) {
    text.replace(at, 1, directory);
  }
  return text;
}

std::string config_of(const Terms& terms, const std::string& directory) {
  const auto bad = "[" + quoted(test::program("test-bad-worker")) + ", " + quoted(directory) + "]";
  const auto command = terms.command.empty() ? bad : with_directory(terms.command, directory);
  return "backoff_first = \"1ms\"\nbackoff_max = \"20ms\"\n" + terms.options +
         "[[class]]\nname = \"victim\"\ntypes = [\"work\", \"bad\"]\ncommand = " + command + "\n" +
         terms.victims +
         "[[class]]\nname = \"other\"\ntypes = [\"other\", \"mass\"]\nsize = 2\nsize_min = "
         "2\ncommand = " +
         bad + "\n";
}

json parsed(const std::string& text) {
  auto document = json::parse(text, nullptr, false);
  return document.is_discarded() ? json() : document;
}

bool is_exit_of(const Heard& heard, std::uint64_t worker) {
  return heard.event == "worker-exited" && heard.worker == worker;
}

}  // namespace

bool can_hide_cgroups() {
  static const bool can =
      test::run_shell(kNoCgroups + "grep -c cgroup2 /proc/mounts 2>/dev/null").output == "0\n";
  return can;
}

// Never written to while it is there: another file in its place.
void write_program(const std::string& directory, const std::string& text) {
  const auto fresh = directory + "/program.new";
  std::ofstream(fresh) << text;
  std::filesystem::permissions(fresh, std::filesystem::perms::owner_all);
  std::filesystem::rename(fresh, directory + "/program");
}

Trial::Trial(std::string name, const Terms& terms, Figures& figures, Report& report)
    : name_(std::move(name)),
      figures_(figures),
      report_(report),
      ledger_(scratch_.path()),
      runs_(ledger_.runs_path()),
      around_(terms.around.empty() ? nullptr : ControlGroup::make(terms.around)) {
  if (terms.program) write_program(scratch_.path(), terms.program(scratch_.path()));
  test::RealDaemon::Setup setup{};
  setup.config = config_of(terms, scratch_.path());
  setup.wrapper = kDiesWithUs + (around_ ? around_->wrapper() : "") +
                  (terms.without_cgroups ? kNoCgroups : "") +
                  (terms.kills_fail ? test::program("test-without-kill") + " " : "") +
                  (terms.held_disk ? "env LD_PRELOAD=" + test::program("test-held-disk.so") +
                                         " CAMPAIGN_HOLD=" + scratch_.path() + "/hold "
                                   : "");
  daemon_ = std::make_unique<test::RealDaemon>(std::move(setup));
  if (!daemon_->running()) return;
  const auto socket = daemon_->directory() + "/warmpool.sock";
  watch_ = std::make_unique<Watch>(socket);
  sender_ = std::make_unique<Sender>(socket, "sender");
  traffic_ = std::make_unique<Traffic>(socket, terms.mass ? 100ms : 4ms);
  if (terms.mass) mass_ = std::make_unique<Mass>(socket);
}

Trial::~Trial() = default;

bool Trial::up() {
  // The watch connects by a thread of its own: what it costs the daemon belongs to the baseline.
  const auto watched = [this] { return watch_->count() > 0; };
  if (daemon_->running() && await_ready("other", 2) && test::eventually(watched)) return true;
  wrong("the daemon did not come up: " + daemon_->log());
  return false;
}

void Trial::wrong(const std::string& text) {
  ++violations_;
  report_.violation(name_ + ": " + text);
}

json Trial::document(ipc::Verb verb) { return parsed(sender_->ask({.verb = verb})); }

std::uint64_t Trial::serving(const std::string& worker_class) {
  std::uint64_t count = 0;
  const auto rows = workers().value("workers", json::array());
  for (const auto& row : rows) {
    if (row.at("class") != worker_class || !row.at("healthy").get<bool>()) continue;
    const auto state = row.at("state").get<std::string>();
    count += state == "ready" || state == "running" ? 1U : 0U;
  }
  return count;
}

bool Trial::await_ready(const std::string& worker_class, std::uint64_t count,
                        std::chrono::milliseconds usual) {
  return test::eventually([&] { return serving(worker_class) == count; }, usual);
}

pid_t Trial::pid_in(const std::string& slot) {
  const auto rows = workers().value("workers", json::array());
  for (const auto& row : rows) {
    if (row.at("id") == slot && row.at("pid").is_number()) return row.at("pid").get<pid_t>();
  }
  return 0;
}

bool Trial::has_cgroup(const std::string& slot) {
  std::ifstream lines("/proc/" + std::to_string(pid_in(slot)) + "/cgroup");
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("0::") && line.find("/warmpool-") != line.npos) return true;
  }
  return false;
}

bool Trial::scale(std::uint64_t size) {
  ipc::RequestMeta request{.verb = ipc::Verb::Scale};
  request.arguments[0] = std::string_view("victim");
  request.arguments[1] = std::uint64_t{0};
  request.arguments[2] = size;
  return !sender_->ask(request).empty();
}

void Trial::be_useful() {
  if (sender_->settled(sender_->submit("work", "0")) == nullptr)
    wrong("a task of no ill never ended");
}

const Ran* Trial::begun(std::uint64_t task, std::uint64_t after_nanoseconds) {
  const Ran* found = nullptr;
  test::eventually([&] {
    const auto [begin, end] = runs_.read().equal_range(task);
    const auto run = std::find_if(
        begin, end, [&](const auto& one) { return one.second.at > after_nanoseconds; });
    found = run == end ? nullptr : &run->second;
    return found != nullptr;
  });
  return found;
}

std::string Trial::slot_of(std::uint64_t worker) const {
  if (watch_->worker_in(slot_) == worker) return slot_;
  const auto ready = watch_->wait(
      0, [&](const auto& one) { return one.event == "worker-ready" && one.worker == worker; });
  return ready ? ready->slot : std::string();
}

void Trial::suffer(const Fault& fault) {
  ++figures_.runs;
  if (fault.payload.empty()) be_useful();
  const auto from = watch_->count();
  auto slot = slot_;
  auto worker = watch_->worker_in(slot);
  std::optional<std::size_t> task;
  std::uint64_t at = monotonic_nanoseconds();
  if (!fault.payload.empty()) {
    task = sender_->submit("bad", fault.payload, 2, fault.timeout);
    const Ran* run = begun(sender_->id_of(*task));
    if (run == nullptr) return wrong("its task never began: " + fault.payload);
    at = run->at;
    worker = run->worker;
    slot = slot_of(worker);
  }
  expect_exit_of(worker);
  if (fault.act) {
    const pid_t pid = pid_in(slot);
    at = monotonic_nanoseconds();
    fault.act(pid);
  }
  const bool replaced = await_death(fault, worker, at, slot, from);
  const bool settled = !task || settles_as_meant(fault, *task);
  figures_.recovered += replaced && settled ? 1U : 0U;
}

bool Trial::await_death(const Fault& fault, std::uint64_t worker, std::uint64_t at,
                        const std::string& slot, std::size_t from) {
  const auto exited = watch_->wait(from, [&](const auto& one) { return is_exit_of(one, worker); });
  if (!exited) {
    wrong("nobody saw the end of worker " + std::to_string(worker));
    return false;
  }
  ++figures_.detected;
  const auto due = at + static_cast<std::uint64_t>(fault.due_ms * 1e6);
  figures_.seen.add_between(due, exited->at);
  const auto& causes = fault.causes;
  const bool right = std::find(causes.begin(), causes.end(), exited->cause) != causes.end() &&
                     (!fault.code || *fault.code == exited->code);
  figures_.cause_right += right ? 1U : 0U;
  if (!right) wrong("cause " + exited->cause + " with code " + std::to_string(exited->code));
  const auto ready = watch_->wait(from, [&](const auto& one) {
    return one.event == "worker-ready" && one.slot == slot && one.worker != worker;
  });
  if (ready) figures_.ready.add_between(at, ready->at);
  if (!ready) wrong("nobody came in the place of worker " + std::to_string(worker));
  return ready.has_value();
}

bool Trial::settles_as_meant(const Fault& fault, std::size_t task) {
  const Sent* sent = sender_->settled(task);
  if (sent == nullptr) {
    wrong("its task never settled");
    return false;
  }
  const auto& told = sent->entry.told.back();
  if (told.verdict == Verdict::Done && told.result == "good in the end" &&
      sent->crashes == fault.crashes && sent->failures == fault.failures) {
    return true;
  }
  wrong("its task ended as " + std::string(name_of(told.verdict)) + ", " + told.result + ", with " +
        std::to_string(sent->crashes) + " crashes and " + std::to_string(sent->failures) +
        " failures");
  return false;
}

void Trial::take_baseline() {
  const auto seen = footprint_of(daemon_->pid());
  children_ = seen.children;
  descriptors_ = seen.descriptors;
  rss_kib_ = seen.rss_kib;
  shared_ = seen.shared_files;
  remember_cgroups();
}

// The first tasks of a daemon take longer than those that follow.
void Trial::listen_to_others(std::chrono::milliseconds time) {
  ::poll(nullptr, 0, static_cast<int>(time.count() / 10));
  listened_from_ = monotonic_nanoseconds();
  ::poll(nullptr, 0, static_cast<int>(time.count()));
  listened_to_ = monotonic_nanoseconds();
}

void Trial::remember_cgroups() {
  for (auto& directory : life_directories_of(pid_in("other-0"))) {
    cgroups_.insert(std::move(directory));
  }
}

void Trial::conclude(const std::string& evidence) {
  if (!sender_) return;
  for (std::size_t at = 0; at < sender_->all().size(); ++at) sender_->settled(at, 60s);
  traffic_->end();
  if (mass_) mass_->end();
  check_footprint();
  check_healthy();
  check_counts();
  check_promises();
  check_nothing_stays();
  if (violations_ > 0) scratch_.keep_in(evidence, daemon_->directory() + "/log");
}

// I5. Buffers of the daemon may have grown: memory is told and not judged.
void Trial::check_footprint() {
  Footprint seen;
  const auto is_back = [&] {
    seen = footprint_of(daemon_->pid());
    return seen.zombies == 0 && seen.children == children_ && seen.descriptors == descriptors_ &&
           seen.shared_files == shared_ && seen.looking <= 3 * seen.children;
  };
  const bool back = test::eventually(is_back, 10s);
  const auto more = [](std::uint64_t now, std::uint64_t before) {
    return static_cast<std::int64_t>(now) - static_cast<std::int64_t>(before);
  };
  figures_.zombies += seen.zombies;
  figures_.descriptors_more += more(seen.descriptors, descriptors_);
  figures_.shared_more += more(seen.shared_files, shared_);
  figures_.rss_kib_more += more(seen.rss_kib, rss_kib_);
  if (!back) {
    wrong("the daemon has " + std::to_string(seen.descriptors) + " descriptors (before: " +
          std::to_string(descriptors_) + ") and " + std::to_string(seen.looking) + " of /proc, " +
          std::to_string(seen.children) + " children (" + std::to_string(children_) +
          ") of which " + std::to_string(seen.zombies) + " are dead, " +
          std::to_string(seen.shared_files) + " memory files (" + std::to_string(shared_) + ")");
  }
}

// I4: no death is told that nobody caused.
void Trial::check_healthy() {
  if (watch_->missed() != 0) return wrong("events were missed");
  for (const auto& heard : watch_->from(0)) {
    figures_.spawned += heard.event == "worker-started" ? 1U : 0U;
    if (heard.event != "worker-exited" || heard.cause == "requested") continue;
    const bool meant =
        heard.worker_class == "victim" && (all_faulted_ || faulted_.contains(heard.worker));
    if (meant) continue;
    ++figures_.healthy_killed;
    wrong("worker " + std::to_string(heard.worker) + " in " + heard.slot +
          " was in order and ended: " + heard.cause);
  }
}

// I7.
void Trial::check_counts() {
  const auto document = status();
  if (!document.contains("tasks")) return wrong("no status");
  const auto& tasks = document.at("tasks");
  const auto at = [&](const char* name) { return tasks.at(name).get<std::uint64_t>(); };
  const auto settled = at("done") + at("dead") + at("cancelled") + at("expired") + at("skipped");
  const auto sent = sender_->all().size() + sender_->flooded() + traffic_->sender().all().size() +
                    (mass_ ? mass_->sent() : 0);
  figures_.tasks += sent;
  if (at("accepted") != settled || at("waiting") + at("running") != 0 || at("accepted") != sent) {
    wrong("the counts do not add up with " + std::to_string(sent) + " sent: " + tasks.dump());
  }
}

// I1 to I3.
void Trial::check_promises() {
  if (mass_ && mass_->done() != mass_->sent()) {
    wrong(std::to_string(mass_->sent() - mass_->done()) + " of the mass are not done");
  }
  std::vector<const Entry*> entries;
  const Runs& runs = runs_.read();
  for (const auto* sender : {&std::as_const(*sender_), &traffic_->sender()}) {
    for (const auto& odd : sender->oddities()) wrong(odd);
    for (const auto& sent : sender->all()) {
      entries.push_back(&sent.entry);
      for (const auto id : sent.entry.ids) {
        if (runs.count(id) > sent.runs_max + interruptions_) {
          wrong("task " + std::to_string(id) + " ran " + std::to_string(runs.count(id)) + " times");
        }
      }
    }
  }
  const auto before = report_.violations();
  judge(entries, runs, report_);
  violations_ += report_.violations() - before;
  figures_.others_before.add_all(traffic_->times_between(listened_from_, listened_to_));
  figures_.others.add_all(traffic_->times_between(listened_to_, ~0ULL));
}

// I5, of what outlives processes.
void Trial::check_nothing_stays() {
  remember_cgroups();
  watch_.reset();
  daemon_->signal(SIGTERM);
  const auto status = daemon_->wait();
  if (status != 0) wrong("the daemon ended with " + std::to_string(status) + ": " + daemon_->log());
  for (const auto& directory : cgroups_) {
    if (std::filesystem::exists(directory)) wrong("it left the cgroup " + directory);
  }
  if (test::eventually([&] { return scratch_.process_of(scratch_.path()) <= 0; }, 5s)) return;
  ++figures_.survivors;
  wrong("a process has outlived its daemon");
}

}  // namespace warmpool::campaign
