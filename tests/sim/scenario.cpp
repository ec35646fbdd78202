// Times are scaled down to what keeps a run at some thousand steps: what matters is their order
// (grace < timeout < silence < backoff), which is that of the defaults.
#include "tests/sim/scenario.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "tests/sim/random.hpp"

namespace warmpool::sim {

const std::array<FaultRow, kFaults> kFaultRows{{
    {Fault::DieIdle, "die-idle"},
    {Fault::DieStarting, "die-starting"},
    {Fault::DieInTask, "die-in-task"},
    {Fault::DieWhileKilled, "die-while-killed"},
    {Fault::OutOfMemory, "out-of-memory"},
    {Fault::Hang, "hang"},
    {Fault::HangAndReturn, "hang-and-return"},
    {Fault::IgnoreTerm, "ignore-term"},
    {Fault::IgnoreCancel, "ignore-cancel"},
    {Fault::IgnoreRetire, "ignore-retire"},
    {Fault::IgnoreRecall, "ignore-recall"},
    {Fault::FailTask, "fail-task"},
    {Fault::FailForGood, "fail-for-good"},
    {Fault::RetryAfter, "retry-after"},
    {Fault::HoldTask, "hold-task"},
    {Fault::Poison, "poison"},
    {Fault::SpawnFails, "spawn-fails"},
    {Fault::NeverHello, "never-hello"},
    {Fault::SlowDisk, "slow-disk"},
    {Fault::StoreRefuses, "store-refuses"},
    {Fault::DaemonCrash, "daemon-crash"},
    {Fault::WallJump, "wall-jump"},
    {Fault::LoopStall, "loop-stall"},
    {Fault::Overload, "overload"},
    {Fault::StopWorker, "stop-worker"},
    {Fault::SilentIdle, "silent-idle"},
    {Fault::WrongResult, "wrong-result"},
    {Fault::DuplicateResult, "duplicate-result"},
    {Fault::BrokenChannel, "broken-channel"},
    {Fault::ClientDrops, "client-drops"},
    {Fault::SlowTask, "slow-task"},
    {Fault::Operator, "operator"},
    {Fault::Cancels, "cancels"},
    {Fault::LyingPage, "lying-page"},
    {Fault::Unkillable, "unkillable"},
    {Fault::ArchiveFails, "archive-fails"},
    {Fault::Strangers, "strangers"},
    {Fault::TypesDown, "types-down"},
    {Fault::Memory, "memory"},
    {Fault::Looks, "looks"},
    {Fault::NoProgress, "no-progress"},
    {Fault::ClassDown, "class-down"},
    {Fault::RecoveryFails, "recovery-fails"},
    {Fault::Idle, "idle"},
    {Fault::Rotten, "rotten"},
    {Fault::Figures, "figures"},
    {Fault::Checks, "checks"},
    {Fault::Admission, "admission"},
    {Fault::Checkpoints, "checkpoints"},
    {Fault::NextClasses, "next-classes"},
    {Fault::TaskMemory, "task-memory"},
    {Fault::GoesOnUnseen, "goes-on-unseen"},
    {Fault::ByHand, "by-hand"},
    {Fault::PrepareFails, "prepare-fails"},
    {Fault::NoRoom, "no-room"},
}};

namespace {

Options draw_options(Random& random) {
  Options options = default_options();
  options.backoff_first = random.between(milliseconds(20), milliseconds(500));
  options.backoff_max = options.backoff_first * static_cast<std::int64_t>(random.between(2, 8));
  options.priority_step = random.between(milliseconds(1), milliseconds(100));
  options.reopen_age_max = random.between(milliseconds(0), milliseconds(500));
  options.prefetch_budget = random.between(milliseconds(1), milliseconds(20));
  options.overtake_max = random.between(microseconds(50), milliseconds(4));
  options.recall_after = random.between(milliseconds(1), milliseconds(20));
  options.recall_idle_after = random.between(microseconds(100), milliseconds(5));
  options.heartbeat_interval = random.between(milliseconds(200), seconds(1));
  options.unresponsive_after = options.heartbeat_interval * 3;
  options.dead_after = options.heartbeat_interval * 6;
  options.start_timeout = random.between(milliseconds(300), seconds(2));
  options.cancel_grace = random.between(milliseconds(0), milliseconds(200));
  options.term_grace = random.between(milliseconds(0), milliseconds(300));
  options.unkillable_after = random.between(milliseconds(50), seconds(2));
  options.reconnect_grace = random.between(milliseconds(1), seconds(2));
  options.drain_timeout = random.between(milliseconds(0), seconds(2));
  options.restarts_max = random.between(1, 4);
  options.restart_cooldown = random.between(milliseconds(50), milliseconds(500));
  options.restart_multiplier = random.between(1, 3);
  options.restart_backoff_max =
      options.restart_cooldown * static_cast<std::int64_t>(random.between(1, 10));
  options.interruptions_max = random.between(0, 3);
  if (random.chance(300)) options.dead_max = random.between(0, 5);
  if (random.chance(200)) options.dead_bytes_max = random.between(0, 1000);
  if (random.chance(200)) options.keys_max = random.between(0, 10);
  if (random.chance(300)) options.keys_age_max = random.between(milliseconds(0), seconds(5));
  if (random.chance(200)) options.dead_age_max = random.between(seconds(1), seconds(10));
  return options;
}

event::ClassDeclared draw_class(Random& random, std::uint16_t number) {
  event::ClassDeclared declared{ClassId{number}, default_class_options()};
  ClassOptions& options = declared.options;
  options.name = "class-" + std::to_string(number);
  options.size = random.between(1, random.chance(700) ? 3 : 8);
  options.size_min = random.between(0, options.size);
  options.size_max = options.size + random.between(0, 4);
  options.concurrency = random.chance(700) ? 1 : random.between(2, 3);
  const auto credits = random.chance(400) ? 1 : random.between(2, 16);
  if (credits != 16) options.credits = credits;  // else it is what suits the class
  options.strategy = random.chance(500) ? "round-robin" : "least-loaded";
  options.start_index = random.below(4);
  options.beatless = random.chance(100);
  options.types_later = true;
  options.critical = random.chance(200);
  if (random.chance(250)) options.max_tasks = random.between(1, 30);
  if (random.chance(150)) options.max_age = random.between(milliseconds(200), seconds(4));
  options.recycle_share = random.chance(500) ? 10 : random.between(1, 100);
  return declared;
}

TypePlan draw_type(Random& random, std::uint32_t number, std::size_t classes) {
  TypePlan plan{};
  plan.declared.type = TypeId{number};
  const std::size_t first = random.below(classes);
  const std::size_t count = random.between(1, classes);
  for (std::size_t i = 0; i < count; ++i) {
    plan.declared.classes[i] = ClassId{static_cast<std::uint16_t>((first + i) % classes)};
  }
  plan.declared.count = static_cast<std::uint8_t>(count);
  const bool is_short = random.chance(650);
  plan.service_min = is_short ? microseconds(20) : milliseconds(1);
  plan.service_max = is_short ? random.between(microseconds(50), microseconds(2000))
                              : random.between(milliseconds(5), milliseconds(60));
  plan.later = random.chance(100);
  return plan;
}

void draw_load(Scenario& scenario, Random& random) {
  scenario.tenants = static_cast<std::uint32_t>(random.between(1, 3));
  scenario.clients = static_cast<std::uint32_t>(random.between(1, 4));
  scenario.submissions = static_cast<std::uint32_t>(random.between(40, 300));
  scenario.mishaps_per_mille = static_cast<std::uint32_t>(random.between(5, 150));
  scenario.recall_per_mille = random.chance(800) ? 1000 : 500;
  scenario.prompt_per_mille = random.chance(500) ? 950 : 600;
  scenario.submit_every = random.chance(500) ? random.between(microseconds(20), microseconds(2000))
                                             : random.between(milliseconds(1), milliseconds(30));
  scenario.wire_max = random.between(microseconds(0), microseconds(300));
  scenario.disk_min = random.between(microseconds(0), microseconds(100));
  scenario.disk_max = scenario.disk_min + random.between(microseconds(0), milliseconds(3));
  scenario.turn_window =
      random.chance(300) ? Duration{} : random.between(Duration{}, microseconds(200));
  scenario.safety = random.between(seconds(2), seconds(12));
  scenario.stop_early = random.chance(250);
  scenario.page_per_mille = random.chance(300) ? 0 : random.chance(500) ? 1000 : 500;
  if (scenario.has(Fault::Overload)) {
    scenario.options.tasks_max = random.between(3, 30);
    if (random.chance(500)) scenario.options.payload_bytes_total_max = random.between(1024, 9000);
  }
}

// Workers that others start. With a chance of its own, so that all else is as it was without.
void draw_strangers(Scenario& scenario) {
  Random random(scenario.seed * 0x9e3779b97f4a7c15ULL + 7);
  scenario.faults.set(static_cast<std::size_t>(Fault::Strangers), random.chance(250));
  scenario.options.registered_max = random.between(1, 6);
  for (auto& declared : scenario.classes) {
    declared.options.registered_max = random.chance(700) ? random.between(1, 4) : 0;
  }
}

// Types that have a breaker and fail for a while. With a chance of its own, like strangers.
void draw_breakers(Scenario& scenario) {
  Random random(scenario.seed * 0x9e3779b97f4a7c15ULL + 11);
  const bool any = random.chance(300);
  scenario.faults.set(static_cast<std::size_t>(Fault::TypesDown), any);
  for (TypePlan& plan : scenario.types) {
    if (random.chance(700)) plan.breaker = draw_breaker(random);
    plan.breaker.on = plan.breaker.on && any;
    if (!random.chance(600)) continue;
    plan.down_from = Instant{} + random.between(milliseconds(0), seconds(3));
    plan.down_until = plan.down_from + random.between(milliseconds(50), seconds(4));
  }
}

// Sizes are small: what matters is their order. With a chance of its own, as above.
void draw_memory(Scenario& scenario) {
  Random random(scenario.seed * 0x9e3779b97f4a7c15ULL + 13);
  scenario.faults.set(static_cast<std::size_t>(Fault::Memory), random.chance(350));
  if (!scenario.has(Fault::Memory)) return;
  for (auto& declared : scenario.classes) {
    ClassOptions& options = declared.options;
    options.memory_soft = random.chance(850) ? 1000 : 0;
    if (random.chance(400)) options.memory_hard = random.between(1000, 4000);
    if (random.chance(100)) options.memory_hard = random.chance(500) ? 0 : kUnlimited;
    if (random.chance(300)) options.memory_growth = random.between(50, 500);
    options.retry_memory_factor = random.between(1, 3);
    if (random.chance(300)) options.retry_memory_max = random.between(500, 6000);
    options.retry_timeout_factor = random.between(1, 3);
    if (random.chance(300)) options.retry_timeout_max = random.between(milliseconds(1), seconds(2));
  }
}

// What the daemon sees of processes, and classes that want progress. With a chance of its own, too.
void draw_liveness(Scenario& scenario) {
  Random random(scenario.seed * 0x9e3779b97f4a7c15ULL + 17);
  scenario.faults.set(static_cast<std::size_t>(Fault::Looks), random.chance(400));
  scenario.faults.set(static_cast<std::size_t>(Fault::NoProgress), random.chance(300));
  if (!scenario.has(Fault::NoProgress)) return;
  for (auto& declared : scenario.classes) {
    const Duration patience = random.between(milliseconds(20), milliseconds(700));
    if (random.chance(700)) declared.options.progress_timeout = patience;
  }
  if (random.chance(200)) scenario.turn_late = random.between(milliseconds(2), milliseconds(12));
}

// Workers that were stopped, go on and are heard, and nobody tells that. With a chance of its own.
void draw_unseen(Scenario& scenario) {
  Random random(scenario.seed * 0x9e3779b97f4a7c15ULL + 53);
  const bool any = scenario.has(Fault::StopWorker) && random.chance(400);
  scenario.faults.set(static_cast<std::size_t>(Fault::GoesOnUnseen), any);
}

// Classes whose dead workers a person replaces. With a chance of its own.
void draw_by_hand(Scenario& scenario) {
  Random random(scenario.seed * 0x9e3779b97f4a7c15ULL + 59);
  scenario.faults.set(static_cast<std::size_t>(Fault::ByHand), random.chance(200));
  if (!scenario.has(Fault::ByHand)) return;
  for (auto& declared : scenario.classes) {
    declared.options.automatic_restart = random.chance(400);
  }
}

// Attempts that cannot be prepared. With a chance of its own.
void draw_prepares(Scenario& scenario) {
  Random random(scenario.seed * 0x9e3779b97f4a7c15ULL + 61);
  scenario.faults.set(static_cast<std::size_t>(Fault::PrepareFails), random.chance(200));
}

// Results that the daemon has no room for. With a chance of its own.
void draw_no_room(Scenario& scenario) {
  Random random(scenario.seed * 0x9e3779b97f4a7c15ULL + 67);
  scenario.faults.set(static_cast<std::size_t>(Fault::NoRoom), random.chance(200));
}

constexpr std::array<std::string_view, 6> kRecoveryTables{
    "*: restart",
    "* x2: recreate, *: restart",
    "exited|signalled: custom, *: restart",
    "recovery-failed x2: recreate, *: custom",
    "* x3: reset, * x2: custom, *: recreate",
    "spawn-failed: reset, exited x3: recreate, start-timeout|stopped: custom"};

// Classes that cannot start workers for a while, and how they recover. Breakers over recovery are
// off where that is not, so that all else is as it was without.
void draw_recovery(Scenario& scenario) {
  Random random(scenario.seed * 0x9e3779b97f4a7c15ULL + 19);
  scenario.faults.set(static_cast<std::size_t>(Fault::ClassDown), random.chance(250));
  scenario.faults.set(static_cast<std::size_t>(Fault::RecoveryFails), random.chance(250));
  const bool down = scenario.has(Fault::ClassDown);
  const bool any = down || scenario.has(Fault::RecoveryFails);
  for (auto& declared : scenario.classes) {
    ClassOptions& options = declared.options;
    options.recovery_deaths = down ? random.between(1, 8) : 0;
    options.recovery_window = random.between(milliseconds(100), seconds(4));
    options.recovery_cooldown = random.between(milliseconds(5), milliseconds(300));
    options.recovery_cooldown_max =
        options.recovery_cooldown * static_cast<std::int64_t>(random.between(1, 8));
    options.recovery_timeout = random.between(milliseconds(20), milliseconds(400));
    const auto table = random.below(kRecoveryTables.size());
    options.recovery = any ? kRecoveryTables[table] : kRecoveryTables[0];
    const Instant from = Instant{} + random.between(milliseconds(0), seconds(4));
    const bool falls = down && random.chance(700), silent = random.chance(250);
    scenario.outages.push_back(
        falls ? Outage{from, from + random.between(milliseconds(50), seconds(5)), silent}
              : Outage{});
  }
}

// Workers that nobody needs end. With a chance of its own, too.
void draw_idle(Scenario& scenario) {
  Random random(scenario.seed * 0x9e3779b97f4a7c15ULL + 23);
  scenario.faults.set(static_cast<std::size_t>(Fault::Idle), random.chance(250));
  if (!scenario.has(Fault::Idle)) return;
  for (auto& declared : scenario.classes) {
    const Duration most = random.between(milliseconds(5), milliseconds(500));
    if (random.chance(800)) declared.options.max_idle = most;
    if (random.chance(300)) declared.options.size_min = random.below(2);
  }
}

// Workers that fail all their tasks, figures of any kind, checks that fail. With a chance of its
// own, too.
void draw_health(Scenario& scenario) {
  Random random(scenario.seed * 0x9e3779b97f4a7c15ULL + 29);
  scenario.faults.set(static_cast<std::size_t>(Fault::Rotten), random.chance(300));
  scenario.faults.set(static_cast<std::size_t>(Fault::Figures), random.chance(300));
  scenario.faults.set(static_cast<std::size_t>(Fault::Checks), random.chance(300));
  for (auto& declared : scenario.classes) {
    ClassOptions& options = declared.options;
    options.health_degraded = random.between(400, 900);
    options.health_unhealthy = random.between(100, options.health_degraded - 100);
    options.health_hysteresis = random.between(0, 100);
    options.health_smoothing = random.between(milliseconds(0), milliseconds(300));
    options.health_liveness = random.between(0, 50);
    options.health_errors = random.between(1, 50);
    options.health_replace_after =
        random.chance(200) ? Duration{} : random.between(milliseconds(50), seconds(2));
    options.check_threshold = random.between(1, 3);
    options.check = random.chance(500) ? "ping" : "command";
  }
}

// Workers that declare memory. All of them fit when nothing else is wrong, or work would stand
// still at the end; not all fit while some are being replaced, more are wanted, or the bound is
// lowered. With a chance of its own, too.
void draw_admission(Scenario& scenario) {
  Random random(scenario.seed * 0x9e3779b97f4a7c15ULL + 31);
  scenario.faults.set(static_cast<std::size_t>(Fault::Admission), random.chance(250));
  if (!scenario.has(Fault::Admission)) return;
  std::uint64_t all = 0, largest = 0;
  for (auto& declared : scenario.classes) {
    ClassOptions& options = declared.options;
    options.memory_declared = random.chance(150) ? 0 : random.between(50, 400);
    all += options.size * options.memory_declared;
    largest = std::max(largest, options.memory_declared);
  }
  scenario.options.memory_total = all + (random.chance(600) ? largest : random.below(largest + 1));
  scenario.options.memory_pass_max = random.between(milliseconds(0), milliseconds(300));
}

// Workers that know checkpoints. With a chance of its own, too.
void draw_checkpoints(Scenario& scenario) {
  Random random(scenario.seed * 0x9e3779b97f4a7c15ULL + 37);
  scenario.faults.set(static_cast<std::size_t>(Fault::Checkpoints), random.chance(300));
  if (!scenario.has(Fault::Checkpoints)) return;
  for (auto& declared : scenario.classes) {
    const Duration every = random.between(milliseconds(1), milliseconds(200));
    declared.options.checkpoint_every = random.chance(800) ? every : Duration{};
  }
}

// Classes that send what died in them to another: in rings too, and to one that does not serve it.
// With a chance of its own, too.
void draw_next_classes(Scenario& scenario) {
  Random random(scenario.seed * 0x9e3779b97f4a7c15ULL + 41);
  const std::size_t classes = scenario.classes.size();
  scenario.faults.set(static_cast<std::size_t>(Fault::NextClasses),
                      random.chance(350) && classes > 1);
  if (!scenario.has(Fault::NextClasses)) return;
  for (std::size_t at = 0; at < classes; ++at) {
    ClassOptions& options = scenario.classes[at].options;
    const auto other = [&] {
      return scenario.classes[(at + random.between(1, classes - 1)) % classes].options.name;
    };
    if (random.chance(700)) options.retry_memory_class = other();
    if (random.chance(700)) options.retry_timeout_class = other();
  }
}

// Classes that run only so many suspects at once. With a chance of its own, too.
void draw_suspects(Scenario& scenario) {
  Random random(scenario.seed * 0x9e3779b97f4a7c15ULL + 43);
  if (!random.chance(400)) return;
  for (auto& declared : scenario.classes) {
    if (random.chance(700)) declared.options.suspects_max = random.between(1, 2);
  }
}

// Types whose runs need memory, beside each other or alone. With a chance of its own, too.
void draw_task_memory(Scenario& scenario) {
  Random random(scenario.seed * 0x9e3779b97f4a7c15ULL + 47);
  scenario.faults.set(static_cast<std::size_t>(Fault::TaskMemory), random.chance(300));
  if (!scenario.has(Fault::TaskMemory)) return;
  scenario.options.memory_tasks_total = random.between(600, 5000);
  scenario.options.memory_pass_max = random.between(milliseconds(0), milliseconds(100));
  for (TypePlan& plan : scenario.types) plan.memory = draw_need(random);
}

}  // namespace

TaskMemory draw_need(Random& random) {
  if (random.chance(250)) return {};
  if (random.chance(350)) return {.bytes = 0, .learned = true};
  return {.bytes = random.between(100, random.chance(300) ? 6000 : 1500), .learned = false};
}

BreakerOptions draw_breaker(Random& random) {
  BreakerOptions options{.on = true};
  options.failures = random.below(6);
  options.percent = options.failures == 0 || random.chance(500) ? random.between(20, 100) : 0;
  options.runs = random.between(1, 10);
  options.window = random.between(milliseconds(20), seconds(2));
  options.cooldown = random.between(milliseconds(1), milliseconds(300));
  options.cooldown_max = options.cooldown * static_cast<std::int64_t>(random.between(1, 8));
  options.probes = random.chance(600) ? 1 : random.between(2, 4);
  options.successes = random.between(1, 3);
  return options;
}

Scenario draw_scenario(std::uint64_t seed) {
  Random random(seed * 0x2545f4914f6cdd1dULL + 1);
  Scenario scenario;
  scenario.seed = seed;
  const std::uint64_t per_mille = random.between(30, 500);
  constexpr auto drawn_here = static_cast<std::size_t>(Fault::Strangers);
  for (std::size_t i = 0; i < drawn_here; ++i) scenario.faults.set(i, random.chance(per_mille));
  scenario.options = draw_options(random);
  const auto classes = static_cast<std::uint16_t>(random.between(1, 3));
  for (std::uint16_t i = 0; i < classes; ++i) {
    scenario.classes.push_back(draw_class(random, i));
  }
  const auto types = static_cast<std::uint32_t>(random.between(1, 6));
  for (std::uint32_t i = 0; i < types; ++i) {
    scenario.types.push_back(draw_type(random, i, classes));
  }
  draw_load(scenario, random);
  draw_strangers(scenario);
  draw_breakers(scenario);
  draw_memory(scenario);
  draw_liveness(scenario);
  draw_recovery(scenario);
  draw_idle(scenario);
  draw_health(scenario);
  draw_admission(scenario);
  draw_checkpoints(scenario);
  draw_next_classes(scenario);
  draw_suspects(scenario);
  draw_task_memory(scenario);
  draw_unseen(scenario);
  draw_by_hand(scenario);
  draw_prepares(scenario);
  draw_no_room(scenario);
  return scenario;
}

namespace {

bool force_figure(Forced& forced, std::string_view name, std::uint64_t value) {
  const std::array<std::pair<std::string_view, std::uint64_t*>, 4> figures{
      {{"slots", &forced.slots},
       {"credits", &forced.credits},
       {"concurrency", &forced.concurrency},
       {"submissions", &forced.submissions}}};
  for (const auto& [figure, target] : figures) {
    if (figure != name) continue;
    *target = value;
    return true;
  }
  return false;
}

bool force_word(Forced& forced, std::string_view word) {
  const auto equals = word.find('=');
  if (equals != std::string_view::npos) {
    std::uint64_t value = 0;
    const auto digits = word.substr(equals + 1);
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return parsed.ec == std::errc{} && value > 0 &&
           force_figure(forced, word.substr(0, equals), value);
  }
  forced.any_fault = true;
  if (word == "calm") return true;
  for (const FaultRow& row : kFaultRows) {
    if (row.name != word) continue;
    forced.faults.set(static_cast<std::size_t>(row.fault));
    return true;
  }
  return false;
}

Error unknown_word(std::string_view word) {
  std::string text =
      "--config: '" + std::string(word) + "' is unknown; give words joined by ',': calm";
  for (const FaultRow& row : kFaultRows) text += ", " + std::string(row.name);
  return {0, text + ", slots=N, credits=N, concurrency=N, submissions=N"};
}

}  // namespace

Result<Forced> parse_forced(std::string_view text) {
  Forced forced;
  while (!text.empty()) {
    const auto comma = text.find(',');
    const auto word = text.substr(0, comma);
    if (!force_word(forced, word)) return unknown_word(word);
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
  }
  return forced;
}

void force(Scenario& scenario, const Forced& forced) {
  if (forced.any_fault) scenario.faults = forced.faults;
  if (forced.submissions > 0) scenario.submissions = static_cast<std::uint32_t>(forced.submissions);
  for (auto& declared : scenario.classes) {
    ClassOptions& options = declared.options;
    if (forced.credits > 0) options.credits = forced.credits;
    if (forced.concurrency > 0) options.concurrency = forced.concurrency;
    if (forced.slots == 0) continue;
    options.size = forced.slots;
    options.size_min = std::min(options.size_min, options.size);
    options.size_max = std::max(options.size_max, options.size);
  }
}

}  // namespace warmpool::sim
