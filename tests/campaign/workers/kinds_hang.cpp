// Workers that live and do not do what they should. Thresholds are short here; what is measured is
// how long after them the daemon acts.
#include <csignal>
#include <poll.h>

#include "tests/campaign/workers/kind.hpp"
#include "tests/campaign/workers/process_table.hpp"

namespace warmpool::campaign {
namespace {

constexpr double kDeadMs = 3'000, kTimeoutMs = 300, kCancelGraceMs = 200, kTermGraceMs = 300,
                 kUnkillableMs = 1'000;
// A worker with a closed channel has that time to end by itself. Its watcher thread, which waits
// for the channel, keeps it open until it looks up, some 100 ms later.
constexpr double kClosedMs = 100;

const std::string kStopOptions =
    "heartbeat_interval = \"300ms\"\nunresponsive_after = \"1s\"\ndead_after = \"3s\"\n"
    "sample_interval = \"100ms\"\n";
const std::string kEndingOptions = "cancel_grace = \"200ms\"\nterm_grace = \"300ms\"\n";

void stop_it(pid_t pid) { ::kill(pid, SIGSTOP); }

// Stopped for half of the time that it may be.
void stop_and_go_on(Trial& trial, std::uint64_t runs) {
  for (std::uint64_t run = 0; run < runs; ++run) {
    auto& figures = trial.figures();
    ++figures.runs;
    const pid_t pid = trial.pid_in("victim-0");
    const auto task = trial.sender().submit("bad", "hold:300", 1);
    if (trial.begun(trial.sender().id_of(task)) == nullptr) return trial.wrong("it never began");
    ::kill(pid, SIGSTOP);
    ::poll(nullptr, 0, static_cast<int>(kDeadMs / 2));
    ::kill(pid, SIGCONT);
    const Sent* sent = trial.sender().settled(task);
    const bool one_run = sent != nullptr && sent->entry.told.back().attempt == 1;
    if (!one_run) trial.wrong("a worker that went on in time was not waited for");
    figures.detected += one_run ? 1U : 0U;
    figures.recovered += one_run ? 1U : 0U;
    figures.cause_right += one_run ? 1U : 0U;
  }
}

// Cancelled while it heeds neither the frame nor SIGTERM: how long after the last deadline it ends.
void cancel_the_deaf(Trial& trial, std::uint64_t runs) {
  for (std::uint64_t run = 0; run < runs; ++run) {
    auto& figures = trial.figures();
    ++figures.runs;
    trial.be_useful();
    const auto from = trial.watch().count();
    const auto task = trial.sender().submit("bad", "deaf", 1);
    const Ran* begun = trial.begun(trial.sender().id_of(task));
    if (begun == nullptr) return trial.wrong("it never began");
    const auto worker = begun->worker;
    const auto slot = trial.slot_of(worker);
    trial.expect_exit_of(worker);
    const auto at = monotonic_nanoseconds();
    trial.sender().cancel(task);
    const Sent* sent = trial.sender().settled(task);
    const auto exited = trial.watch().wait(from, [&](const Heard& one) {
      return one.event == "worker-exited" && one.worker == worker;
    });
    const auto ready = trial.watch().wait(from, [&](const Heard& one) {
      return one.event == "worker-ready" && one.slot == slot && one.worker != worker;
    });
    if (!exited || !ready || sent == nullptr) return trial.wrong("a deaf worker was not ended");
    ++figures.detected;
    const double grace_ms = kCancelGraceMs + kTermGraceMs;
    figures.seen.add_between(at + static_cast<std::uint64_t>(grace_ms * 1e6), exited->at);
    figures.ready.add_between(at, ready->at);
    const bool right = exited->cause == "cancel";
    figures.cause_right += right ? 1U : 0U;
    if (!right) trial.wrong("cause " + exited->cause);
    figures.recovered += sent->entry.told.back().verdict == Verdict::Cancelled ? 1U : 0U;
  }
}

// Of the worker that has this task in hand; 0: none has.
pid_t pid_with(Trial& trial, std::uint64_t task) {
  pid_t pid = 0;
  test::eventually([&] {
    const auto rows = trial.workers().value("workers", nlohmann::json::array());
    for (const auto& row : rows) {
      if (row.at("current_task") == task && row.at("pid").is_number()) {
        pid = row.at("pid").get<pid_t>();
      }
    }
    return pid != 0;
  });
  return pid;
}

// What became of a task whose first worker answered late: one answer, of the second.
bool is_fenced(const Entry& entry) {
  const auto& told = entry.told;
  return told.size() == 1 && told.back().verdict == Verdict::Done && told.back().attempt == 2 &&
         told.back().result == "good in the end";
}

// The kernel lets go of a worker that was to be killed long ago: by us, who can kill it.
bool let_it_go(Trial& trial, pid_t pid, std::uint64_t worker, std::size_t from) {
  const auto at = monotonic_nanoseconds();
  ::kill(pid, SIGKILL);
  const auto exited = trial.watch().wait(
      from, [&](const Heard& one) { return one.event == "worker-exited" && one.worker == worker; });
  const bool right = exited && exited->cause == "timeout";
  trial.figures().cause_right += right ? 1U : 0U;
  if (!right) trial.wrong("cause " + (exited ? exited->cause : "none"));
  const bool back = exited && trial.await_ready("victim", 2);
  if (back) trial.figures().ready.add_between(at, monotonic_nanoseconds());
  if (!back) trial.wrong("its slot was not filled again");
  return back;
}

// Each settles a task, so that whichever of the two dies is replaced at once.
void both_are_useful(Trial& trial) {
  const auto one = trial.sender().submit("work", "50"), other = trial.sender().submit("work", "50");
  trial.sender().settled(one);
  trial.sender().settled(other);
}

// The kill does nothing, so the worker goes on, and answers when its task is long another's.
bool answer_late_once(Trial& trial) {
  constexpr double kDueMs =
      kTimeoutMs + kCancelGraceMs + kTermGraceMs + kUnkillableMs;  // then it is given to another
  both_are_useful(trial);
  const auto from = trial.watch().count();
  const auto task = trial.sender().submit("bad", "deaf:4000", 2, milliseconds(300));
  const auto id = trial.sender().id_of(task);
  const Ran* first = trial.begun(id);
  if (first == nullptr) return false;
  const auto at = first->at;
  const pid_t pid = pid_with(trial, id);
  const Sent* sent = trial.sender().settled(task);
  const Ran* second = trial.begun(id, at);
  if (sent == nullptr || second == nullptr) return false;
  ++trial.figures().detected;
  trial.figures().seen.add_between(at + static_cast<std::uint64_t>(kDueMs * 1e6), second->at);
  const auto refused =
      trial.watch().wait(from, [](const Heard& one) { return one.event == "result-refused"; });
  return refused && let_it_go(trial, pid, refused->worker, from) && is_fenced(sent->entry);
}

void answer_late(Trial& trial, std::uint64_t runs) {
  trial.expect_exits();
  for (std::uint64_t run = 0; run < runs; ++run) {
    ++trial.figures().runs;
    const bool fenced = answer_late_once(trial);
    trial.figures().recovered += fenced ? 1U : 0U;
    if (!fenced) return trial.wrong("a late result was not refused, or nobody took the task over");
  }
  const auto refused = trial.status().at("performance").at("refused_results").get<std::uint64_t>();
  trial.figures().more.push_back(std::to_string(refused) + " of " + std::to_string(runs) +
                                 " late results refused");
  if (refused != runs) trial.wrong(std::to_string(refused) + " results were refused");
}

// The worker is never at fault, and its output must cost others nothing.
void print_much(Trial& trial, std::uint64_t runs) {
  const std::uint64_t bytes = runs >= 10 ? 1'000'000'000 : 64'000'000;
  std::uint64_t rss_max = 0;
  const auto before = footprint_of(trial.daemon().pid()).rss_kib;
  for (std::uint64_t run = 0; run < std::min<std::uint64_t>(runs, 3); ++run) {
    ++trial.figures().runs;
    const auto task = trial.sender().submit("bad", "print:" + std::to_string(bytes), 1);
    const Sent* sent = trial.sender().settled(task, std::chrono::seconds(120));
    const bool came = sent != nullptr && sent->entry.told.back().result == "came through";
    if (!came) trial.wrong("a task that prints did not come through");
    trial.figures().detected += came ? 1U : 0U;
    trial.figures().recovered += came ? 1U : 0U;
    trial.figures().cause_right += came ? 1U : 0U;
    rss_max = std::max(rss_max, footprint_of(trial.daemon().pid()).rss_kib);
  }
  const auto more = rss_max > before ? rss_max - before : 0;
  if (more > 8'192) trial.wrong("the daemon grew by " + std::to_string(more) + " KiB");
  trial.figures().more.push_back(std::to_string(bytes / 1'000'000) + " MB each, daemon +" +
                                 std::to_string(more) + " KiB");
}

Kind cannot_be_killed() {
  return {.id = "W05",
          .fault = "cannot be killed, and answers late",
          .expected = "its task goes elsewhere, the late result is refused",
          .needs = Needs::NoCgroup,
          .share = 5,
          .terms = {.options = kEndingOptions + "unkillable_after = \"1s\"\n",
                    .victims = "size = 2\nsize_min = 2\n",
                    .without_cgroups = true,
                    .kills_fail = true},
          .run = answer_late};
}

}  // namespace

Kinds hang_kinds() {
  const std::vector<std::string> silent = {"stopped", "unresponsive"};
  Kinds kinds;
  kinds.push_back(
      {.id = "W05",
       .fault = "SIGSTOP, busy, for good",
       .expected = "killed after dead_after; its task runs once more",
       .about = About::Hang,
       .share = 5,
       .terms = {.options = kStopOptions},
       .run =
           again({.payload = "hold", .act = stop_it, .causes = {"stopped"}, .due_ms = kDeadMs})});
  kinds.push_back({.id = "W05",
                   .fault = "SIGSTOP, busy, CONT in time",
                   .expected = "one run, nobody is killed",
                   .share = 5,
                   .terms = {.options = kStopOptions},
                   .run = stop_and_go_on});
  kinds.push_back(cannot_be_killed());
  kinds.push_back({.id = "W06",
                   .fault = "SIGSTOP, idle",
                   .expected = "killed after dead_after",
                   .about = About::Hang,
                   .share = 5,
                   .terms = {.options = kStopOptions},
                   .run = again({.act = stop_it, .causes = silent, .due_ms = kDeadMs})});
  kinds.push_back({.id = "W07",
                   .fault = "spins, beats go on",
                   .expected = "killed at its timeout and graces",
                   .about = About::Hang,
                   .share = 10,
                   .terms = {.options = kEndingOptions},
                   .run = again({.payload = "spin",
                                 .causes = {"timeout"},
                                 .crashes = 0,
                                 .failures = 1,
                                 .due_ms = kTimeoutMs + kCancelGraceMs + kTermGraceMs,
                                 .timeout = milliseconds(300)})});
  kinds.push_back({.id = "W09",
                   .fault = "cancelled, ignores SIGTERM",
                   .expected = "killed at cancel_grace + term_grace",
                   .about = About::Hang,
                   .share = 10,
                   .terms = {.options = kEndingOptions},
                   .run = cancel_the_deaf});
  kinds.push_back(
      {.id = "W17",
       .fault = "closes all descriptors, lives on",
       .expected = "killed 100 ms after its channel",
       .share = 25,
       .run = again({.payload = "close", .causes = {"channel-closed"}, .due_ms = kClosedMs})});
  kinds.push_back({.id = "W18",
                   .fault = "output without an end of line",
                   .expected = "capped, nobody waits",
                   .share = 5,
                   .run = print_much});
  return kinds;
}

}  // namespace warmpool::campaign
