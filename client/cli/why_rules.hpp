// The rules that keep a task waiting: one row each, for warmpool why, its help and its page.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace warmpool::cli {

enum class Rule : std::uint8_t {
  Recording,
  Outlived,
  Delayed,
  Backoff,
  Manual,
  Dependency,
  Ahead,
  Stopping,
  Suspect,
  SuspectTurn,
  Paused,
  Breaker,
  TaskMemory,
  Capability,
  NoWorker,
  Starting,
  Restarting,
  Recovery,
  Memory,
  Reserved,
  Busy,
  Next
};

struct RuleRow {
  Rule rule;
  std::string_view name;     // one word, for programs
  std::string_view meaning;  // what is so
  std::string_view change;   // what changes it
};

// In the order in which they are looked at.
inline constexpr std::array<RuleRow, 22> kRuleRows{{
    {Rule::Recording, "recording", "its last record is not kept yet",
     "the next sync of the store; room on the disk where it is full"},
    {Rule::Outlived, "outlived", "a process of an earlier life of the daemon may still run it",
     "that process ends or joins again, or the time given is over"},
    {Rule::Delayed, "delayed", "it was submitted for later", "its time; or cancel it"},
    {Rule::Backoff, "backoff", "its last run failed or was interrupted; it waits before the next",
     "its time"},
    {Rule::Manual, "manual", "its handler held it for a person", "release it, or cancel it"},
    {Rule::Dependency, "dependency", "tasks that it depends on have not settled", "they settle"},
    {Rule::Ahead, "ahead",
     "it was given to a worker ahead, and waits there behind the one that runs",
     "that one ends; if it runs long, the task is taken back and may go elsewhere"},
    {Rule::Stopping, "stopping", "the pool stops and starts nothing", "the next start"},
    {Rule::Suspect, "suspect", "it may have killed a worker: it runs next, alone on one",
     "a worker that becomes empty; one is kept for it"},
    {Rule::SuspectTurn, "suspect-turn",
     "it may have killed a worker, and as many such tasks run in its class as may at once",
     "one of them ends; or raise suspects_max of the class"},
    {Rule::Paused, "paused", "its type, all its classes or the pool are paused", "resume that"},
    {Rule::Breaker, "breaker", "the circuit breaker of its type is open, or lets only some run",
     "the next probes succeed; or close it"},
    {Rule::TaskMemory, "task-memory",
     "what it needs of memory does not fit beside what tasks that run need",
     "runs end; a larger memory_tasks_total; a smaller memory of its type"},
    {Rule::Capability, "capability", "no class of workers serves its type",
     "a class with the type in its types"},
    {Rule::NoWorker, "no-worker", "its class has no worker that can take work",
     "more workers, or those that it has get well"},
    {Rule::Starting, "starting", "the workers of its class are starting", "their hello"},
    {Rule::Restarting, "restarting", "the workers of its class died and wait for their next start",
     "that start; at once: restart the class"},
    {Rule::Recovery, "recovery",
     "the workers of its class died, and so did their replacements: none starts for a while",
     "one that tries works; at once: restart the class"},
    {Rule::Memory, "memory",
     "places of its class wait to start until their memory fits into that of the pool",
     "a worker ends; a larger memory_total; a smaller size of another class"},
    {Rule::Reserved, "reserved", "the only free worker is kept for a task that must run alone",
     "another worker becomes free, or that task has run"},
    {Rule::Busy, "busy", "all workers of its class are at work, and some tasks come before it",
     "a worker becomes free; more workers; a smaller priority number"},
    {Rule::Next, "next", "a worker is free and is about to be given one", "nothing is needed"},
}};

constexpr std::string_view name_of(Rule rule) {
  return kRuleRows[static_cast<std::size_t>(rule)].name;
}

// What is said of a task that does not wait.
struct ElsewhereRow {
  std::string_view state, text, next;  // next: a command that takes its id, or nothing
};

inline constexpr std::array<ElsewhereRow, 6> kElsewhereRows{{
    {"running", "it runs", ""},
    {"done", "it is done", "warmpool result"},
    {"dead", "it is a dead letter", "warmpool dlq retry"},
    {"cancelled", "it was cancelled", "warmpool show"},
    {"expired", "it waited too long and expired", "warmpool show"},
    {"skipped", "a task that it depends on did not succeed", "warmpool show"},
}};

}  // namespace warmpool::cli
