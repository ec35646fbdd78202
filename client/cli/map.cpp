// One loop over four things that may each be slow: the input, the daemon, the output, a person.
// Input is read only while there is room for its lines, so a fast producer waits in its pipe; new
// lines are submitted only while the output is taken, so a slow consumer holds the pool back and
// not this process's memory.
//
// Each task has a random key: after a reconnect the daemon knows it again, and its result is
// printed once.
#include "client/cli/map.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unistd.h>

#include "client/cli/json_text.hpp"
#include "client/cli/settled_text.hpp"
#include "pool/refusal.hpp"

namespace warmpool::cli {

namespace {

using std::chrono::steady_clock;

constexpr std::size_t kReadBytes = 64U << 10;
constexpr std::size_t kHeldBytesMax = 64U << 20;
constexpr std::size_t kHeldLinesFactor = 64;  // lines held for order, per line in flight
constexpr std::uint64_t kCountBytesMax = 256U << 20;
constexpr int kEventsAtOnce = 1'024;
constexpr Duration kRetryAfterMin = milliseconds(10);

// Refused for a reason that passes by itself.
bool passes(std::uint16_t code) {
  return code == static_cast<int>(Refusal::QueueFull) ||
         code == static_cast<int>(Refusal::BytesFull) ||
         code == static_cast<int>(Refusal::StoreUnavailable) ||
         code == static_cast<int>(Refusal::InFlightFull);
}

// Refused for what this one line is; the others may be well.
bool is_of_the_line(std::uint16_t code) {
  return code == static_cast<int>(Refusal::PayloadTooLarge) ||
         code == static_cast<int>(Refusal::KeyConflict) ||
         code == static_cast<int>(Refusal::NoSuchTask);
}

std::string name_of_code(std::uint16_t code) {
  return is_word<Refusal>(code) ? std::string(name_of(static_cast<Refusal>(code)))
                                : "refused-" + std::to_string(code);
}

}  // namespace

Map::Map(Context& context, client::Client client, const MapOptions& options, int input)
    : context_(context),
      client_(std::move(client)),
      options_(options),
      input_(input),
      lines_(client_.daemon().payload_bytes_max + 1),
      window_(context.out(), options.keep_order),
      line_(context.err(), context.globals().quiet ? "never" : options.progress),
      begun_(steady_clock::now()) {
  if (line_.shown()) total_ = count_lines(input, kCountBytesMax);
}

int Map::run() {
  while (!finished()) {
    if (interrupts_.take()) interrupt();
    if (interrupts_.count() > 1) return kInterrupted;
    read_input();
    retry_due();
    submit_lines();
    if (!take_events(ipc::kAtOnce)) break;
    context_.out().write_some();
    if (context_.out().broken()) return kBrokenPipe;
    line_.draw(progress(), false);
    if (!finished()) wait();
  }
  context_.out().flush();
  return conclude();
}

bool Map::has_room() const {
  return open_.size() + later_.size() < options_.in_flight && window_.bytes() < kHeldBytesMax &&
         window_.held() < options_.in_flight * kHeldLinesFactor;
}

bool Map::wants_input() const { return !at_end_ && !stopping_ && lines_dry_ && has_room(); }

bool Map::finished() const {
  const bool all_read = stopping_ || (at_end_ && lines_.done());
  return dead_ || (all_read && open_.empty() && later_.empty());
}

void Map::read_input() {
  if (!wants_input() || !input_ready_) return;
  pollfd polled{input_, POLLIN, 0};
  if (::poll(&polled, 1, 0) != 1) {
    input_ready_ = false;
    return;
  }
  char buffer[kReadBytes];
  const ssize_t got = ::read(input_, buffer, sizeof buffer);
  if (got > 0) {
    lines_.feed({buffer, static_cast<std::size_t>(got)});
    lines_dry_ = false;
    return;
  }
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got < 0) {
    give_up(kFailed, "cannot read the input: " + std::string(std::strerror(errno)));
    return;
  }
  at_end_ = true;
  lines_dry_ = false;
  lines_.finish();
}

void Map::submit_lines() {
  while (!stopping_ && has_room()) {
    auto line = lines_.next();
    lines_dry_ = !line;
    if (!line) return;
    line_last_ = line->number;
    submit({places_++, std::move(*line), {}});
  }
}

void Map::submit(Entry entry) {
  if (entry.line.bytes > client_.daemon().payload_bytes_max) {
    const std::string text = "the line has " + std::to_string(entry.line.bytes) +
                             " bytes, payload_bytes_max is " +
                             std::to_string(client_.daemon().payload_bytes_max);
    return finish_error(std::move(entry), name_of(Refusal::PayloadTooLarge), text);
  }
  auto options = options_.task.submit_options(options_.type, entry.line.text);
  options.auto_key = true;
  options.wait = true;
  options.cancel_on_disconnect = true;
  const auto ticket = client_.submit(std::move(options));
  open_.emplace(ticket.value, std::move(entry));
}

void Map::retry_due() {
  const auto now = steady_clock::now();
  while (!later_.empty() && later_.begin()->first <= now && !stopping_) {
    Entry entry = std::move(later_.begin()->second);
    later_.erase(later_.begin());
    submit(std::move(entry));
  }
}

bool Map::take_events(client::Deadline deadline) {
  for (int i = 0; i < kEventsAtOnce && !open_.empty(); ++i) {
    auto event = client_.wait_any(deadline);
    if (!event) {
      dead_ = true;
      status_ = context_.fail(event.error());
      return false;
    }
    if (!*event) return true;
    std::visit([this](const auto& one) { on(one); }, **event);
  }
  return true;
}

// Until the daemon says something, input comes, output can go, a retry is due or Ctrl-C is pressed.
void Map::wait() {
  const bool lines_wait = !stopping_ && !lines_dry_ && has_room();
  if (lines_wait || (wants_input() && input_ready_)) return;
  pollfd also[3] = {{interrupts_.fd(), POLLIN, 0},
                    {wants_input() ? input_ : -1, POLLIN, 0},
                    {context_.out().pending() > 0 ? context_.out().fd() : -1, POLLOUT, 0}};
  client::Deadline deadline = line_.shown() ? line_.due() : ipc::kNoDeadline;
  if (!later_.empty()) deadline = std::min(deadline, later_.begin()->first);
  auto event = client_.wait_any(deadline, also);
  if (!event) {
    dead_ = true;
    status_ = context_.fail(event.error());
    return;
  }
  if (*event) std::visit([this](const auto& one) { on(one); }, **event);
  // A regular file is always ready; poll tells of the others.
  if (!*event && also[1].revents != 0) input_ready_ = true;
}

void Map::on(const client::Accepted& event) {
  const auto found = open_.find(event.ticket.value);
  if (found == open_.end()) return;
  found->second.task = event.task;
  if (interrupts_.count() > 0) client_.cancel_later(event.task);
}

void Map::on(const client::Refused& event) {
  const auto found = open_.find(event.ticket.value);
  if (found == open_.end()) return;  // a cancel that came too late
  Entry entry = std::move(found->second);
  open_.erase(found);
  if (passes(event.code) && !stopping_) {
    const auto after = std::max(event.retry_after, kRetryAfterMin);
    later_.emplace(client::in(std::chrono::nanoseconds(after.ns)), std::move(entry));
    return;
  }
  finish_error(std::move(entry), name_of_code(event.code), event.text);
  if (!passes(event.code) && !is_of_the_line(event.code)) {
    give_up(exit_status_of(Error{event.code, ""}), event.text);
  }
}

void Map::on(const client::Settled& event) {
  const auto found = open_.find(event.ticket.value);
  if (found == open_.end()) return;
  Entry entry = std::move(found->second);
  open_.erase(found);
  JsonObject members;
  members.number("line", entry.line.number)
      .number("id", event.task.value)
      .text("input", entry.line.text);
  members.text("verdict", name_of(event.verdict));
  if (event.verdict == Verdict::Done) {
    members.raw("result", json_payload(event.content, event.text()));
  } else {
    members.text("cause", name_of(event.cause));
    members.text("error", event.text());
  }
  cancelled_ += event.verdict == Verdict::Cancelled ? 1U : 0U;
  finish(std::move(entry), members.str(), event.verdict == Verdict::Done);
}

void Map::on(const client::Unknown& event) {
  const auto found = open_.find(event.ticket.value);
  if (found == open_.end()) return;
  Entry entry = std::move(found->second);
  open_.erase(found);
  finish_error(std::move(entry), "unknown", event.text);
}

void Map::finish(Entry entry, const std::string& members, bool ok) {
  window_.finish(entry.place, members + "\n");
  ++done_;
  failed_ += ok ? 0U : 1U;
}

void Map::finish_error(Entry entry, std::string_view cause, std::string_view error) {
  JsonObject members;
  members.number("line", entry.line.number);
  if (entry.task) {
    members.number("id", entry.task.value);
  } else {
    members.raw("id", "null");
  }
  // Of a line that was too long only its beginning is known, and shown.
  const std::string_view input = std::string_view(entry.line.text).substr(0, 4'096);
  members.text("input", entry.line.bytes > entry.line.text.size() ? input : entry.line.text)
      .text("verdict", "refused")
      .text("cause", cause)
      .text("error", error);
  finish(std::move(entry), members.str(), false);
}

// What holds for one line holds for all: nothing more is submitted, what runs may end.
void Map::give_up(int status, std::string text) {
  if (stopping_) return;
  stopping_ = true;
  status_ = context_.fail(status, text);
  later_.clear();
}

void Map::interrupt() {
  if (interrupts_.count() > 1) return;
  stopping_ = true;
  later_.clear();
  context_.say("\nwarmpool: cancelling " + std::to_string(open_.size()) +
               " tasks in flight; press Ctrl-C again to leave at once");
  for (const auto& [ticket, entry] : open_) {
    if (entry.task) client_.cancel_later(entry.task);
  }
}

ProgressState Map::progress() const {
  ProgressState state;
  state.done = done_;
  state.failed = failed_;
  state.running = open_.size();
  state.total = total_;
  if (at_end_ && lines_.done()) state.total = places_;
  state.elapsed = steady_clock::now() - begun_;
  return state;
}

int Map::conclude() {
  line_.draw(progress(), true);
  if (stopping_ || dead_) {
    std::string text = std::to_string(done_ - failed_) + " done, " +
                       std::to_string(failed_ - cancelled_) + " failed, " +
                       std::to_string(cancelled_) + " cancelled";
    if (!at_end_ || !lines_.done()) {
      text += "; nothing after line " + std::to_string(line_last_) + " was submitted";
    }
    context_.say("warmpool: " + text);
  }
  if (interrupts_.count() > 0) return kInterrupted;
  if (status_ != kOk) return status_;
  return failed_ > 0 ? kFailed : kOk;
}

}  // namespace warmpool::cli
