// Faults of many workers at once, and of their daemon.
#include <csignal>
#include <fstream>
#include <poll.h>

#include "tests/campaign/workers/kind.hpp"
#include "tests/campaign/workers/process_table.hpp"

namespace warmpool::campaign {
namespace {

std::string sized(unsigned size, const std::string& more = {}) {
  return "size = " + std::to_string(size) + "\nsize_min = 1\nsize_max = 64\n" + more;
}

void count_all(Figures& figures, bool came) {
  figures.detected += came ? 1U : 0U;
  figures.recovered += came ? 1U : 0U;
  figures.cause_right += came ? 1U : 0U;
}

// W19. All have been of use when they die.
void kill_all(Trial& trial, std::uint64_t runs) {
  constexpr std::uint64_t kAll = 8;
  trial.expect_exits();
  for (std::uint64_t run = 0; run < runs; ++run) {
    std::vector<std::size_t> tasks;
    for (std::uint64_t i = 0; i < kAll; ++i) tasks.push_back(trial.sender().submit("work", "20"));
    for (const auto task : tasks) trial.sender().settled(task);
    std::vector<pid_t> pids;
    for (std::uint64_t i = 0; i < kAll; ++i) {
      pids.push_back(trial.pid_in("victim-" + std::to_string(i)));
    }
    const auto from = trial.watch().count();
    const auto at = monotonic_nanoseconds();
    for (const pid_t pid : pids) {
      if (pid > 0) ::kill(pid, SIGKILL);
    }
    std::uint64_t exits = 0, readies = 0;
    trial.figures().runs += kAll;
    trial.watch().wait(from, [&](const Heard& one) {
      const bool exit = one.event == "worker-exited" && one.cause == "signalled";
      const bool ready = one.event == "worker-ready" && one.worker_class == "victim";
      if (exit) trial.figures().seen.add_between(at, one.at);
      if (ready) trial.figures().ready.add_between(at, one.at);
      exits += exit ? 1U : 0U;
      readies += ready ? 1U : 0U;
      return exits == kAll && readies == kAll;
    });
    trial.figures().detected += exits;
    trial.figures().cause_right += exits;
    trial.figures().recovered += readies;
    if (exits != kAll || readies != kAll) {
      return trial.wrong(std::to_string(exits) + " ends and " + std::to_string(readies) +
                         " successors of " + std::to_string(kAll));
    }
  }
}

// The last moment at which what the first run of this task had left behind was alive.
std::uint64_t last_sign_of(const std::string& file, std::uint64_t task) {
  std::ifstream in(file);
  std::uint64_t id = 0, at = 0, last = 0;
  while (in >> id >> at) {
    if (id == task) last = at;
  }
  return last;
}

// W26. A process that has left the tree of its worker writes that it lives: none of its lines may
// be younger than the begin of the next attempt.
void kill_the_daemon(Trial& trial, std::uint64_t runs) {
  trial.expect_exits();
  const auto witness = trial.directory() + "/witness";
  for (std::uint64_t run = 0; run < runs; ++run) {
    ++trial.figures().runs;
    const auto task = trial.sender().submit("bad", "witness", 1);
    const auto id = trial.sender().id_of(task);
    if (trial.begun(id) == nullptr) return trial.wrong("it never began");
    test::eventually([&] { return last_sign_of(witness, id) != 0; });
    const auto at = monotonic_nanoseconds();
    trial.expect_end_of_daemon();
    trial.daemon().signal(SIGKILL);
    trial.daemon().wait();
    if (!trial.daemon().start()) return trial.wrong("no restart: " + trial.daemon().log());
    const Ran* again = trial.begun(id, at);
    const Sent* sent = trial.sender().settled(task);
    const auto last = last_sign_of(witness, id);
    const bool apart = again != nullptr && last < again->at;
    if (!apart) trial.wrong("two attempts of a task were alive at once");
    if (again != nullptr) trial.figures().ready.add_between(at, again->at);
    count_all(trial.figures(), apart && sent != nullptr && last != 0);
  }
  if (!trial.await_ready("victim", 2)) trial.wrong("the last life has not all its workers");
}

// W27: in even load all of them are due at the same moment.
void recycle_together(Trial& trial, std::uint64_t runs) {
  constexpr std::uint64_t kWorkers = 4;
  std::uint64_t least = kWorkers;
  for (std::uint64_t run = 0; run < runs; ++run) {
    std::vector<std::size_t> tasks;
    for (int i = 0; i < 16; ++i) {
      tasks.push_back(trial.sender().submit("work", "3"));
      least = std::min(least, trial.serving("victim"));
    }
    for (const auto task : tasks) {
      trial.sender().settled(task);
      least = std::min(least, trial.serving("victim"));
    }
  }
  // One after the other, while they wait for work.
  std::uint64_t recycled = 0;
  test::eventually([&] {
    least = std::min(least, trial.serving("victim"));
    recycled = trial.status().at("performance").at("workers_recycled").get<std::uint64_t>();
    return recycled >= kWorkers - 1;
  });
  trial.figures().runs += recycled;
  trial.figures().detected += recycled;
  trial.figures().cause_right += recycled;
  trial.figures().recovered += least + 1 >= kWorkers ? recycled : 0;
  trial.figures().more.push_back("least ready " + std::to_string(least) + " of " +
                                 std::to_string(kWorkers));
  if (recycled < kWorkers - 1) trial.wrong("only " + std::to_string(recycled) + " were recycled");
  if (least + 1 < kWorkers) trial.wrong("only " + std::to_string(least) + " were ready");
  // A successor may be on its way.
  trial.await_ready("victim", kWorkers);
}

// W30 and W32: `times` up to `most` and back, with tasks that go on; a change each `beat_ms`, or as
// soon as the last one is through.
void scale_up_and_down(Trial& trial, std::uint64_t times, std::uint64_t most,
                       std::uint64_t beat_ms) {
  Times up, down;
  std::uint64_t done = 0, sent = 0;
  // What is asked for may be taken back before there is a process.
  if (!trial.scale(most) || !trial.scale(1) || !trial.await_ready("victim", 1)) {
    return trial.wrong("a scale that was taken back at once");
  }
  const auto from = trial.watch().count();
  for (std::uint64_t time = 0; time < times; ++time) {
    for (const auto size : {most, std::uint64_t{1}}) {
      ++trial.figures().runs;
      const auto at = monotonic_nanoseconds();
      if (!trial.scale(size)) return trial.wrong("the scale was refused");
      done += trial.sender().flood("work", most);
      sent += most;
      const bool there = trial.await_ready("victim", size);
      (size == 1 ? down : up).add_between(at, monotonic_nanoseconds());
      if (!there) trial.wrong("it never had " + std::to_string(size) + " workers");
      count_all(trial.figures(), there);
      const auto took_ms = (monotonic_nanoseconds() - at) / 1'000'000;
      if (took_ms < beat_ms) ::poll(nullptr, 0, static_cast<int>(beat_ms - took_ms));
    }
  }
  if (done != sent) trial.wrong("only " + std::to_string(done) + " tasks are done");
  std::uint64_t started = 0, hung = 0;
  for (const auto& heard : trial.watch().from(from)) {
    started += heard.event == "worker-started" ? 1U : 0U;
    hung += heard.cause == "start-timeout" ? 1U : 0U;
  }
  trial.figures().more.push_back("up " + up.text() + ", down " + down.text() + " ms; " +
                                 std::to_string(started) + " started, " + std::to_string(hung) +
                                 " hung");
  if (hung != 0) trial.wrong("a worker hung before it was one");
  if (started < times * (most - 1)) trial.wrong("not so many were started");
}

// W30: a hundred starts a run, while the daemon's threads take and free memory, and write the log
// of each task.
void start_many(Trial& trial, std::uint64_t runs) {
  constexpr std::uint64_t kMost = 64, kStarts = 100;
  scale_up_and_down(trial, (runs * kStarts + kMost - 2) / (kMost - 1), kMost, 0);
}

// Tasks and replacements until all that has a bound is full; then as many again, which must cost
// no memory.
void wear_out(Trial& trial, std::uint64_t runs) {
  const std::uint64_t tasks = std::max<std::uint64_t>(2'000, runs * 500);
  const std::uint64_t kills = std::max<std::uint64_t>(4, runs * 5);
  const auto half = [&] {
    std::uint64_t done = 0;
    for (std::uint64_t kill = 0; kill < kills; ++kill) {
      done += trial.sender().flood("work", tasks / kills);
      trial.suffer(
          {.payload = "hold", .act = [](pid_t pid) { ::kill(pid, SIGKILL); }, .code = -SIGKILL});
    }
    if (done != tasks / kills * kills) trial.wrong("only " + std::to_string(done) + " are done");
    return footprint_of(trial.daemon().pid()).rss_kib;
  };
  const auto middle = half(), end = half();
  const auto more = end > middle ? end - middle : 0;
  trial.figures().worn_tasks = 2 * tasks;
  trial.figures().worn_kills = 2 * kills;
  trial.figures().grown_kib = static_cast<std::int64_t>(more);
  trial.figures().more.push_back(std::to_string(2 * tasks) + " tasks, " +
                                 std::to_string(2 * kills) + " kills; second half +" +
                                 std::to_string(more) + " KiB");
  // What the allocator keeps differs by more than that between few tasks.
  if (more > (runs >= 50 ? 1'024 : 4'096)) trial.wrong("memory grows");
}

}  // namespace

Kinds pool_kinds() {
  Kinds kinds;
  kinds.push_back({.id = "W00",
                   .fault = "kill -9 between many tasks",
                   .expected = "no descriptor, zombie or memory more than before",
                   .about = About::Wear,
                   .terms = {.options = "results_max = 500\nkeys_max = 500\nevents_max = 500\n"},
                   .run = wear_out});
  kinds.push_back({.id = "W19",
                   .fault = "all 8 killed in one moment",
                   .expected = "all replaced at once",
                   .terms = {.victims = sized(8)},
                   .run = kill_all});
  kinds.push_back({.id = "W26",
                   .fault = "kill -9 of the daemon, busy",
                   .expected = "nothing is assigned before the old ones are gone",
                   .share = 25,
                   .terms = {.victims = sized(2)},
                   .run = kill_the_daemon});
  kinds.push_back({.id = "W27",
                   .fault = "max_tasks reached by all at once",
                   .expected = "all but one stay ready",
                   .share = 25,
                   .terms = {.victims = sized(4, "max_tasks = 4\n")},
                   .run = recycle_together});
  kinds.push_back({.id = "W30",
                   .fault = "a hundred starts a run, under load",
                   .expected = "none hangs before it is a worker",
                   .terms = {.options = "log_level = \"debug\"\n", .victims = sized(1)},
                   .run = start_many});
  kinds.push_back({.id = "W32",
                   .fault = "scale 1 to 64 and back, each after 2 s, under load",
                   .expected = "as many as were asked for",
                   .share = 150,  // of 100: for 10 minutes
                   .terms = {.victims = sized(1)},
                   .run = [](Trial& trial, std::uint64_t runs) {
                     scale_up_and_down(trial, runs, 64, runs > 1 ? 2'000 : 0);
                   }});
  return kinds;
}

}  // namespace warmpool::campaign
