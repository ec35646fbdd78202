// Every option that warmpool has: three tables of rows (of the pool, of a worker class, of a task
// type). Help, documentation, range checks, the command line, TOML keys and `config show` come from
// the rows.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "pool/result.hpp"
#include "pool/time.hpp"

namespace warmpool {

// Options of the whole pool. Defaults, ranges and meaning: pool_option_rows().
struct Options {
  // What clients may ask for, and what holds where they say nothing.
  std::uint64_t priority{}, retries{}, crashes_max{}, interruptions_max{};
  Duration timeout{}, backoff_first{}, backoff_max{};
  std::uint64_t tasks_max{}, payload_bytes_max{}, payload_bytes_total_max{}, result_bytes_max{};
  std::uint64_t large_bytes_max{}, large_held_max{}, large_bytes_total_max{};
  std::uint64_t dead_retry_rate{}, dead_max{}, dead_bytes_max{}, dead_archive_bytes_max{},
      dead_archive_files_max{}, results_max{}, results_bytes_max{}, keys_max{};
  Duration dead_age_max{}, results_age_max{}, keys_age_max{}, reconnect_age_max{};
  // Order and placement.
  Duration priority_step{}, reopen_age_max{}, prefetch_budget{}, overtake_max{};
  Duration recall_after{}, recall_idle_after{};
  // Circuit breakers, of types that do not say otherwise.
  bool breaker{};
  std::uint64_t breaker_failures{}, breaker_percent{}, breaker_runs{}, breaker_probes{},
      breaker_successes{};
  Duration breaker_window{}, breaker_cooldown{}, breaker_cooldown_max{};
  // Workers.
  Duration heartbeat_interval{}, unresponsive_after{}, dead_after{}, start_timeout{};
  Duration slow_after{};
  std::uint64_t slow_percent{};
  Duration cancel_grace{}, term_grace{}, unkillable_after{}, drain_timeout{};
  Duration reconnect_grace{};
  std::uint64_t restarts_max{}, restart_multiplier{}, registered_max{}, registered_classes_max{};
  Duration restart_cooldown{}, restart_backoff_max{};
  std::uint64_t memory_total{}, memory_tasks_total{};
  Duration memory_pass_max{};
  // The daemon.
  std::string runtime_dir, state_dir, fifo_dir, store, log_level, log_file, launch_path,
      socket_group, record_dir, alerts_off, alert_file, alert_command, alert_webhook,
      directory_root;
  std::uint64_t connections_max{}, in_flight_max{}, output_bytes_max{}, worker_output_bytes_max{};
  std::uint64_t events_max{}, record_segment_bytes{}, record_segments_max{}, journal_bytes{};
  std::uint64_t alert_healthy{}, alert_utilization{}, alert_queue{}, alert_restarts{}, alert_dead{},
      alert_disk{}, alerts_max{};
  Duration alert_stays{}, alert_clear_after{}, alert_repeat{};
  Duration frame_timeout{}, spin{}, sample_interval{}, board_interval{};
  bool submit_fifo{}, board{}, record{}, registered_kill{}, memory_cgroup_v1{};
};

// Options of one worker class. Defaults, ranges and meaning: class_option_rows().
struct ClassOptions {
  std::string name, working_directory, user, channel, strategy;
  std::string umask, cpus, directory, descendants;
  std::optional<std::int64_t> nice{};
  std::optional<std::uint64_t> open_files{}, processes{}, address_space{}, core_size{};
  std::optional<Duration> cpu_time{};
  std::vector<std::string> command, environment, types, preload, directory_prepare, directory_clean;
  std::uint64_t pids_max{};
  std::uint64_t memory_declared{}, memory_soft{}, memory_growth{}, retry_memory_factor{},
      retry_timeout_factor{};
  std::optional<std::uint64_t> memory_hard{}, retry_memory_max{};
  std::optional<Duration> retry_timeout_max{};
  std::string retry_memory_class, retry_timeout_class;
  std::uint64_t size{}, size_min{}, size_max{}, concurrency{}, start_index{};
  std::uint64_t max_tasks{}, recycle_share{}, registered_max{};
  std::optional<std::uint64_t> credits{}, suspects_max{};
  Duration max_age{}, progress_timeout{}, directory_timeout{}, checkpoint_every{};
  bool types_later{}, critical{}, beatless{};
  // Recovery: recovery_rules.hpp, recovery_gate.hpp.
  bool automatic_restart{};
  std::string recovery, recovery_command;
  std::uint64_t recovery_deaths{};
  Duration recovery_timeout{}, recovery_window{}, recovery_cooldown{}, recovery_cooldown_max{};
  Duration max_idle{};
  // Health: what a score is made of and what follows from it; checks.
  std::uint64_t health_liveness{}, health_activity{}, health_errors{}, health_resources{},
      health_velocity{}, health_degraded{}, health_unhealthy{}, health_hysteresis{};
  Duration health_smoothing{}, health_replace_after{}, check_interval{}, check_timeout{};
  std::uint64_t check_threshold{};
  std::string check, check_url;
  std::vector<std::string> check_command;
};

// Options of task types: of those with this name, or that fit this pattern. What is not set is the
// pool's option of the same name; no memory is none. Ranges and meaning: type_option_rows().
struct TypeOptions {
  std::string name, memory;
  std::optional<bool> breaker{};
  std::optional<std::uint64_t> breaker_failures{}, breaker_percent{}, breaker_runs{},
      breaker_probes{}, breaker_successes{};
  std::optional<Duration> breaker_window{}, breaker_cooldown{}, breaker_cooldown_max{};
};

// Signed: a whole number that may be negative. Mask: three octal digits. Cpus: numbers and ranges.
// Rules: as in recovery_rules.hpp. Need: as in task_memory.hpp.
enum class OptionKind : std::uint8_t {
  Time,
  Bytes,
  Count,
  Flag,
  Text,
  Choice,
  Texts,
  Signed,
  Mask,
  Cpus,
  Rules,
  Need
};

// An optional one need not be set: its default is empty, and empty text unsets it.
template <class Owner>
using OptionField =
    std::variant<Duration Owner::*, std::uint64_t Owner::*, bool Owner::*, std::string Owner::*,
                 std::vector<std::string> Owner::*, std::optional<std::int64_t> Owner::*,
                 std::optional<std::uint64_t> Owner::*, std::optional<Duration> Owner::*,
                 std::optional<bool> Owner::*>;

template <class Owner>
struct OptionRow {
  std::string_view name;  // TOML key; on the command line --name with '-' for '_'
  OptionKind kind;
  std::string_view default_text;
  std::string_view minimum, maximum;  // of numbers and times; of a choice: "a|b|c" in minimum.
                                      // maximum "unlimited": so may be given
  bool reloadable;                    // takes effect on SIGHUP; else at the next start
  OptionField<Owner> field;
  std::string_view help;
};

std::span<const OptionRow<Options>> pool_option_rows();
std::span<const OptionRow<ClassOptions>> class_option_rows();
std::span<const OptionRow<TypeOptions>> type_option_rows();

// All defaults applied.
Options default_options();
ClassOptions default_class_options();

// Tasks that a worker of the class may hold, given ones and running ones: as set, or what suits it.
std::uint64_t credits_of(const ClassOptions& options);

// Sets one option from text ("5s", "512MiB", "20", "true", "least-loaded"; Texts: one element is
// appended). Errors: names the option, what was given and what is allowed.
Result<void> set_option(Options& options, std::string_view name, std::string_view text);
Result<void> set_option(ClassOptions& options, std::string_view name, std::string_view text);
Result<void> set_option(TypeOptions& options, std::string_view name, std::string_view text);

// The value as set_option would take it. Texts are joined with a blank.
std::string option_text(const Options& options, const OptionRow<Options>& row);
std::string option_text(const ClassOptions& options, const OptionRow<ClassOptions>& row);
std::string option_text(const TypeOptions& options, const OptionRow<TypeOptions>& row);

// Checks what no single row can: dead_after > unresponsive_after > heartbeat_interval, min <= size
// <= max and the like. Errors: the first that is broken, with the values.
Result<void> check_options(const Options& options);
Result<void> check_options(const ClassOptions& options);

// Units: ns us ms s m h d, may be joined ("1h30m"); "0" needs none. Bounds: 0 .. kDurationMax.
Result<Duration> parse_duration(std::string_view text);
// Units: B KiB MiB GiB (1024) and kB MB GB (1000); a bare number is bytes.
Result<std::uint64_t> parse_bytes(std::string_view text);
Result<std::uint64_t> parse_count(std::string_view text);
Result<std::int64_t> parse_signed(std::string_view text);
// "077" as a number. Bounds: up to 777.
Result<unsigned> parse_mask(std::string_view text);
// "0-3,8": in order, each once. Bounds: numbers below 1024.
Result<std::vector<int>> parse_cpus(std::string_view text);
// What "unlimited" stands for, of sizes and counts; of times it is kDurationMax.
inline constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();
std::string duration_text(Duration duration);
std::string bytes_text(std::uint64_t bytes);

}  // namespace warmpool
