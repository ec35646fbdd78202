// Made at the end and from what is in memory by then: a zombie has neither descriptors nor a stack
// left, so what it looked like was written down when its end was decided. A handler that failed by
// itself is past that too: of such an attempt there is what it said, and what its worker has used,
// which costs 50 us.
#include "daemon/autopsy.hpp"

#include <algorithm>
#include <csignal>

#include "daemon/exit_text.hpp"
#include "daemon/json.hpp"
#include "daemon/store/store.hpp"
#include "ipc/codec.hpp"
#include "pool/memory.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::size_t kLinesMax = 64, kFirstLineBytesMax = 300;
// Of a handler that failed: there may be very many, and its error and last lines are kept besides.
constexpr std::size_t kFailureBytesMax = 4'096;
// More than the stock type exec says, and little to take apart between two events.
constexpr std::size_t kCommandBytesMax = 128U << 10;

std::string advice_for_signal(int signal) {
  switch (signal) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGABRT:
    case SIGTRAP:
      return "a fault in the program or in a native library; look at its last output, and set "
             "core_size of its class to get a core file";
    case SIGKILL:
      return "somebody else killed it, or the kernel did for want of memory: see dmesg";
    case SIGXCPU:
      return "it used up cpu_time of its class";
    case SIGPIPE:
      return "it wrote to a pipe that nobody reads, and does not ignore SIGPIPE";
    default:
      return "look for who sent that signal";
  }
}

std::string advice_of(const AutopsyCase& one) {
  switch (one.cause) {
    case ExitCause::Exited:
      return "a handler must not end its process; look at its last output for why it left";
    case ExitCause::Signalled:
      return one.exit != nullptr ? advice_for_signal(-one.exit->code) : std::string();
    case ExitCause::SpawnFailed:
      return "correct command, working_directory, user or limits of its class";
    case ExitCause::RecoveryFailed:
      return "run recovery_command of its class by hand, or raise recovery_timeout; its output is "
             "in the daemon's log";
    case ExitCause::StartTimeout:
      return "it did not say hello: run its command by hand, or raise start_timeout";
    case ExitCause::Unresponsive:
    case ExitCause::Wedged:
      return "its work loop does not run: see where it sleeps (below), and what its last task left "
             "behind";
    case ExitCause::Spinning:
      return "its work loop does not run: see what its last task left running";
    case ExitCause::Stopped:
      return "somebody sent SIGSTOP, or a debugger holds it";
    case ExitCause::Timeout:
      return "raise the timeout of the task, or see below what it waited for";
    case ExitCause::Hung:
      return "report progress or print more often, raise progress_timeout of the class, or see "
             "below what it waited for";
    case ExitCause::ChannelClosed:
      return "the program closed a descriptor that is not its own (WARMPOOL_FD)";
    case ExitCause::Protocol:
      return "see the daemon's log for the frame; use an SDK, or docs/protocol.md";
    case ExitCause::Memory:
    case ExitCause::OutOfMemory:
      return "give it more memory, or run fewer at once";
    case ExitCause::CheckFailed:
      return "see what its check said: warmpool log, or its line in the daemon's log; correct the "
             "worker, or check_timeout and check_threshold of its class";
    default:
      return {};
  }
}

Json threads_json(const ProcessPortrait& process) {
  Json threads = Json::array();
  for (const auto& thread : process.threads) {
    threads.push_back({{"id", thread.id},
                       {"name", thread.name},
                       {"state", std::string(1, thread.state)},
                       {"wait_channel", thread.wait_channel}});
  }
  return threads;
}

Json portrait_json(const Services& services, const Portrait& portrait) {
  const auto& process = portrait.process;
  Json json{{"at", time_of(services.engine.clock(), portrait.at)},
            {"when", portrait.when},
            {"state", std::string(1, process.state)},
            {"wait_channel", process.wait_channel},
            {"system_call", process.system_call},
            {"cpu_user_seconds", seconds_of(process.cpu_user)},
            {"cpu_system_seconds", seconds_of(process.cpu_system)},
            {"rss_bytes", process.rss_bytes},
            {"rss_peak_bytes", process.rss_peak_bytes},
            {"voluntary_switches", process.voluntary_switches},
            {"involuntary_switches", process.involuntary_switches},
            {"threads", process.thread_count},
            {"children", process.child_count},
            {"open_descriptors", process.descriptor_count}};
  if (!process.kernel_stack.empty()) json["kernel_stack"] = process.kernel_stack;
  json["limits_reached"] = process.limits;
  json["thread_list"] = threads_json(process);
  json["child_list"] = process.children;
  json["descriptor_list"] = process.descriptors;
  if (process.cut) json["cut"] = true;
  json["taken_in_ms"] = milliseconds_of(process.took);
  return json;
}

Json usage_json(const Usage& usage) {
  return {{"cpu_user_seconds", seconds_of(usage.cpu_user)},
          {"cpu_system_seconds", seconds_of(usage.cpu_system)},
          {"rss_peak_bytes", usage.rss_peak_bytes},
          {"major_faults", usage.major_faults},
          {"voluntary_switches", usage.voluntary_switches},
          {"involuntary_switches", usage.involuntary_switches}};
}

Json usage_json(const ProcessPortrait& process) {
  return {{"cpu_user_seconds", seconds_of(process.cpu_user)},
          {"cpu_system_seconds", seconds_of(process.cpu_system)},
          {"rss_peak_bytes", process.rss_peak_bytes},
          {"voluntary_switches", process.voluntary_switches},
          {"involuntary_switches", process.involuntary_switches}};
}

// Of one attempt, whose neighbours' lines say nothing of it.
Json lines_json(const WorkerPlaces& places, SlotId slot, const InHand& attempt) {
  Json lines = Json::array();
  const auto* ring = places.output_of(slot);
  if (ring == nullptr) return lines;
  for (const auto& line : ring->lines(kLinesMax)) {
    const bool its_own = !line.task || line.task == attempt.key.task;
    if (its_own && line.at >= attempt.assigned_at) lines.push_back(line.text);
  }
  return lines;
}

Json lines_json(const WorkerPlaces& places, SlotId slot) {
  Json lines = Json::array();
  const auto* ring = places.output_of(slot);
  if (ring == nullptr) return lines;
  for (const auto& line : ring->lines(kLinesMax)) lines.push_back(line.text);
  return lines;
}

// The newest lines and the first of all else are worth most.
bool shorten(Json& document) {
  auto& output = document["output"];
  if (output.size() > 1) {
    const auto half = static_cast<Json::difference_type>(output.size() / 2);
    output.erase(output.begin(), output.begin() + half);
    return true;
  }
  for (const char* list : {"descriptor_list", "thread_list", "child_list", "kernel_stack"}) {
    if (!document.contains("before") || !document["before"].contains(list)) continue;
    document["before"].erase(list);
    return true;
  }
  if (output.empty()) return false;
  output.clear();
  return true;
}

const Portrait* portrait_of(const AutopsyCase& one) {
  if (one.attempt != nullptr && one.attempt->portrait) return one.attempt->portrait.get();
  return one.worker.portrait.get();
}

void add_exit(const Exit& exit, Json& document) {
  document["code"] = exit.known && exit.code >= 0 ? Json(exit.code) : Json();
  document["signal"] = exit.code < 0 ? Json(-exit.code) : Json();
  document["core_dumped"] = exit.core_dumped;
  if (exit.usage) document["usage"] = usage_json(*exit.usage);
}

void add_attempt(const InHand& held, Instant now, Json& document) {
  document["task"] = held.key.task.value;
  document["round"] = held.key.round;
  document["attempt"] = held.key.attempt;
  document["ran_ms"] = milliseconds_of(now - held.begun_at);
}

// A class that its class names for what died so, if there is a next attempt.
const std::string* next_class(const ClassOptions& options, const AutopsyCase& one) {
  const bool memory = one.cause == ExitCause::Memory || one.cause == ExitCause::OutOfMemory;
  const auto ending = one.attempt->ending;
  if (ending == EndCause::Timeout) return &options.retry_timeout_class;
  // Of several in hand nobody is charged.
  const bool charged = memory && ending == EndCause::Done && one.worker.in_hand.size() == 1;
  return charged ? &options.retry_memory_class : nullptr;
}

std::string most_text(std::uint64_t bytes) {
  return bytes == kUnlimited ? "any memory" : bytes_text(bytes);
}

void add_next(const Services& services, const AutopsyCase& one, Json& document) {
  const auto& own = services.options_of(one.worker.worker_class);
  const auto* name = next_class(own, one);
  const auto task = services.engine.pool().task(one.attempt->key.task);
  const bool over = !task || task->state == TaskState::Dead;
  if (name == nullptr || name->empty() || over) return;
  const auto& classes = services.configuration.classes;
  const auto next =
      std::ranges::find_if(classes, [&](const auto& each) { return each.values.name == *name; });
  if (next == classes.end()) return;
  const bool time = one.attempt->ending == EndCause::Timeout;
  // Of a worker's end the core has heard by now, of an answer not yet.
  const unsigned known = time ? task->used.timeouts : task->used.memory_ends;
  const unsigned before = known - std::min(known, one.exit == nullptr && !one.stays ? 0U : 1U);
  const auto limits = time ? duration_text(timeout_of(next->values, task->timeout, before + 1)) +
                                 " instead of " +
                                 duration_text(timeout_of(own, task->timeout, before))
                           : most_text(memory_max_of(next->values, before + 1)) + " instead of " +
                                 most_text(memory_max_of(own, before));
  document["next"] = "if it is tried again, in class " + *name + " (" +
                     (time ? "retry_timeout_class" : "retry_memory_class") + " of " + own.name +
                     "), where it may have " + limits;
}

std::string fitting(Json& document, std::size_t bytes_max) {
  auto text = text_of(document);
  while (text.size() > bytes_max && shorten(document)) {
    document["cut"] = true;
    text = text_of(document);
  }
  return text;
}

// The second line of what the type exec says of a failure: how its command ended. docs/worker.md.
// Any worker may have a type of that name, so what is not as the page says is left out. Not Json:
// to that each member costs a look at all before it.
Json end_of_command(std::string_view error) {
  Json end = Json::object();
  const auto line = error.find('\n');
  if (line == std::string_view::npos || error.size() - line > kCommandBytesMax) return end;
  const auto said = nlohmann::json::parse(error.substr(line + 1), nullptr, false);
  if (!said.is_object()) return end;
  for (const char* name : {"status", "signal"}) {
    const auto number = said.find(name);
    if (number == said.end()) continue;
    if (number->is_null()) end[name] = nullptr;
    if (number->is_number_integer()) end[name] = number->get<std::int64_t>();
  }
  const auto started = said.find("started");
  if (started != said.end() && started->is_boolean()) end["started"] = started->get<bool>();
  return end;
}

std::string advice_of(const SaidFailure& said, const Json& command) {
  if (said.out_of_memory) return "give it more memory, or run fewer at once";
  if (const auto signal = command.value("signal", Json()); signal.is_number_integer()) {
    return advice_for_signal(signal.get<int>());
  }
  if (!command.value("started", true)) return "correct argv of the task, or install the program";
  if (!command.empty()) return "run the command by hand; warmpool show has what it wrote";
  if (said.ungiven) return "its worker was not given it: see the sentence above";
  if (said.no_room) return "nothing: it is tried again later; if that happens often, see above";
  if (said.outcome == Outcome::RetryAfter) return "nothing: it asked to be tried again later";
  return "see what it said: warmpool show has the whole error";
}

std::string_view subject_of(const SaidFailure& said, const Json& command) {
  if (said.ungiven) return "the attempt in ";
  return command.empty() ? "the handler in " : "the command in ";
}

std::string_view failed_text(const SaidFailure& said) {
  if (said.no_room) return " was done, which is no failure of its own: ";
  const auto outcome = said.outcome;
  if (outcome == Outcome::RetryAfter) return " failed, and asks to be tried again later: ";
  return outcome == Outcome::FailedForGood ? " failed for good: " : " failed: ";
}

std::string_view cause_text(const SaidFailure& said) {
  if (said.no_room) return name_of(EndCause::Interrupted);
  return said.out_of_memory ? name_of(ExitCause::OutOfMemory) : name_of(said.outcome);
}

Json head_of(const Services& services, const std::string& name, const WorkerProcess& worker) {
  return {{"at", time_of(services.engine.clock(), services.engine.now())},
          {"worker", name},
          {"worker_id", worker.id.value},
          {"pid", worker.child.pid}};
}

std::string autopsy_of_failure(const Services& services, const WorkerPlaces& places,
                               const WorkerProcess& worker, const InHand& attempt,
                               const SaidFailure& said) {
  const auto name = places.slot_name(worker.slot);
  const auto now = services.engine.now();
  const bool is_command = services.types.at(attempt.type).name == "exec";
  const auto command = is_command && !said.ungiven ? end_of_command(said.error) : Json::object();
  const auto who = name + " (pid " + std::to_string(worker.child.pid) + ")";
  const auto first = said.error.substr(0, said.error.find('\n'));
  auto document = head_of(services, name, worker);
  document["cause"] = cause_text(said);
  document["by_warmpool"] = false;
  document["sentence"] =
      std::string(subject_of(said, command)) + who + std::string(failed_text(said)) +
      std::string(ipc::cut_text(first, kFirstLineBytesMax)) +
      (said.out_of_memory ? ": out of memory, the kernel killed in its cgroup" : "");
  document["advice"] = advice_of(said, command);
  add_attempt(attempt, now, document);
  document["in_hand"] = worker.in_hand.size();
  document["uptime_ms"] = milliseconds_of(now - worker.spawned_at);
  if (!command.empty()) {
    document["code"] = command.value("status", Json());
    document["signal"] = command.value("signal", Json());
  }
  const bool its_own = !worker.registered || name_of_process(worker.child.pid) == worker.name;
  const auto sketch = its_own && !said.ungiven ? take_sketch(worker.child.pid) : std::nullopt;
  if (sketch) document["usage"] = usage_json(*sketch);
  document["output"] = lines_json(places, worker.slot, attempt);
  return fitting(document, kFailureBytesMax);
}

}  // namespace

bool is_over_time(EndCause cause) {
  return cause == EndCause::Timeout || cause == EndCause::Deadline || cause == EndCause::Hung;
}

std::string cause_sentence(const std::string& name, const AutopsyCase& one) {
  const auto who = name + " (pid " + std::to_string(one.worker.child.pid) + ")";
  if (one.stays) {
    return who + " was killed and does not go, and what it had was taken from it: it " +
           std::string(fault_text(one.cause));
  }
  if (one.exit == nullptr) {
    return "the attempt in " + who + " was told to end: it " +
           (one.cause == ExitCause::Hung ? "made no progress for progress_timeout"
                                         : "ran longer than its timeout") +
           (one.worker.ordered ? ", and it did at SIGTERM" : "; it did, and its worker lives on");
  }
  if (!one.worker.launch_error.empty()) return one.worker.launch_error;
  if (one.ours) return exit_text(who, *one.exit) + ", by warmpool: it " + fault_text(one.cause);
  const bool signalled = one.exit->code < 0;
  return exit_text(who, *one.exit) + (signalled ? ", and not by warmpool" : ", by itself");
}

bool is_worth_autopsy(const WorkerProcess& worker, ExitCause cause) {
  const bool asked = worker.retired && cause == ExitCause::Exited;
  return !asked && cause != ExitCause::Requested && cause != ExitCause::Shutdown &&
         cause != ExitCause::Cancel;
}

std::shared_ptr<const Portrait> portrait_of(const Services& services, const WorkerProcess& worker,
                                            std::string when) {
  // It is no child of ours: its number may be another's by now.
  if (worker.registered && name_of_process(worker.child.pid) != worker.name) return nullptr;
  auto process = take_portrait(worker.child.pid);
  if (!process) return nullptr;
  return std::make_shared<const Portrait>(
      Portrait{std::move(*process), services.engine.now(), std::move(when)});
}

ExitCause cause_of(const WorkerProcess& worker, const Exit& exit) {
  if (!worker.launch_error.empty()) return ExitCause::SpawnFailed;
  return worker.ordered.value_or(exit.cause);
}

std::string autopsy_of_end(const Services& services, const WorkerPlaces& places,
                           const WorkerProcess& worker, const Exit& exit, const InHand* attempt) {
  const auto cause = cause_of(worker, exit);
  if (!is_worth_autopsy(worker, cause)) return {};
  const bool ours = worker.ordered.has_value() && worker.launch_error.empty();
  return autopsy_of(services, places, {worker, &exit, cause, ours, attempt});
}

Attachment failure_attachment(std::string_view why, std::vector<std::string> output,
                              std::string autopsy) {
  Attachment attachment;
  attachment.body = Blob(ipc::bytes_of(why));
  attachment.content = Content::Utf8;
  attachment.texts = std::make_unique<TaskTexts>();
  attachment.texts->output = std::move(output);
  attachment.texts->autopsy = std::move(autopsy);
  return attachment;
}

std::string autopsy_of_answer(const Services& services, const WorkerPlaces& places,
                              const WorkerProcess& worker, const InHand& attempt,
                              const SaidFailure& said) {
  const bool told = attempt.ending != EndCause::Done && !said.no_room;
  if (!told && said.outcome == Outcome::Held) return {};
  if (!told) return autopsy_of_failure(services, places, worker, attempt, said);
  if (!is_over_time(attempt.ending)) return {};
  const auto cause = attempt.ending == EndCause::Hung ? ExitCause::Hung : ExitCause::Timeout;
  return autopsy_of(services, places, {worker, nullptr, cause, true, &attempt});
}

std::string autopsy_of(const Services& services, const WorkerPlaces& places,
                       const AutopsyCase& one) {
  const auto name = places.slot_name(one.worker.slot);
  const auto now = services.engine.now();
  auto document = head_of(services, name, one.worker);
  document["cause"] = name_of(one.cause);
  document["by_warmpool"] = one.ours;
  document["sentence"] = cause_sentence(name, one);
  document["advice"] = advice_of(one);
  if (one.attempt != nullptr) {
    add_attempt(*one.attempt, now, document);
    add_next(services, one, document);
  }
  document["in_hand"] = one.worker.in_hand.size();
  document["uptime_ms"] = milliseconds_of(now - one.worker.spawned_at);
  if (one.exit != nullptr) add_exit(*one.exit, document);
  const auto* portrait = portrait_of(one);
  if (portrait != nullptr) document["before"] = portrait_json(services, *portrait);
  document["output"] = lines_json(places, one.worker.slot);
  return fitting(document, kAutopsyBytesMax);
}

}  // namespace warmpool::daemon
