// Frames to and from workers. What a worker says is believed only about attempts that it was given:
// the core compares the whole key, token included.
#include <algorithm>

#include "daemon/large_frames.hpp"
#include "daemon/workers.hpp"
#include "ipc/codec.hpp"

namespace warmpool::daemon {

const Workers::FrameRow Workers::kFrames[] = {
    {ipc::Kind::Done, &Workers::on_done},
    {ipc::Kind::Failed, &Workers::on_failed},
    {ipc::Kind::Beat, &Workers::on_beat},
    {ipc::Kind::Recalled, &Workers::on_recalled},
    {ipc::Kind::Progress, &Workers::on_progress_frame},
    {ipc::Kind::Ping, &Workers::on_ping},
    {ipc::Kind::Pong, &Workers::on_pong},
    {ipc::Kind::Hello, &Workers::on_hello},
    {ipc::Kind::Leave, &Workers::on_leave},
    {ipc::Kind::Report, &Workers::on_report},
    {ipc::Kind::Checkpoint, &Workers::on_checkpoint},
    {ipc::Kind::Stamps, &Workers::on_stamps},
};

template <class Meta>
ipc::Bytes Workers::encoded(const Meta& meta) {
  meta_.clear();
  ipc::encode(meta, meta_);
  return ipc::bytes_of(meta_);
}

void Workers::read(WorkerProcess& worker) {
  switch (worker.channel.read()) {
    case FrameStream::Read::Nothing:
      return;
    case FrameStream::Read::Closed:
      channel_ended(worker);
      return;
    case FrameStream::Read::Some:
      break;
  }
  take_frames(worker);
}

void Workers::take_frames(WorkerProcess& worker) {
  using Next = ipc::FrameReader::Next;
  ipc::Frame frame;
  std::uint32_t whole = 0;
  worker.last_heard = services_.engine.now();
  while (!worker.broken && !worker.held) {
    const auto next = worker.channel.next(frame);
    if (next == Next::More) break;
    if (next == Next::Broken) {
      const auto error = worker.channel.reader().error();
      return break_off(worker, error.code, error.text);
    }
    ++whole;
    const auto* row = std::ranges::find(kFrames, frame.header.kind, &FrameRow::kind);
    if (row == std::end(kFrames)) {
      return break_off(worker, static_cast<int>(Refusal::UnknownKind), "an unknown kind of frame");
    }
    (this->*row->handler)(worker, frame);
  }
  services_.flow.frames_read.add(whole);
  const bool in_frame = worker.channel.reader().in_frame();
  if (!worker.broken && !worker.held && !worker.channel.came().is_in_order(in_frame)) {
    return break_off(worker, static_cast<int>(Refusal::BadFrame),
                     "a descriptor came with a frame that announces none, or more than one");
  }
  if (!in_frame) {
    worker.frame_since.reset();
  } else if (whole != 0 || !worker.frame_since) {
    worker.frame_since = services_.engine.now();
  }
}

void Workers::note_end(WorkerProcess& worker) {
  if (!worker.closed_at) worker.closed_at = services_.engine.now();
  due_ = std::min(due_, *worker.closed_at + worker.last_words());
}

void Workers::channel_ended(WorkerProcess& worker) {
  if (worker.channel_watch) worker.channel_watch->stop_reading();
  note_end(worker);
}

// Of a pair of FIFOs: nothing reaches it any more. What it sent before is read on.
void Workers::reader_gone(WorkerProcess& worker) {
  if (worker.write_watch) worker.write_watch->stop_reading();
  note_end(worker);
}

void Workers::break_off(WorkerProcess& worker, int code, std::string_view text) {
  if (worker.broken) return;
  worker.broken = true;
  ++figures_.protocol_errors;
  services_.log.error(places_.slot_name(worker.slot) + " broke the protocol: " + std::string(text));
  const ipc::ErrorMeta meta{static_cast<std::uint16_t>(code), ipc::cut_text(text, 1024)};
  send(worker, {.kind = ipc::Kind::Error}, encoded(meta));
  if (worker.channel_watch) worker.channel_watch->stop_reading();
  services_.engine.step(event::WorkerBroken{worker.id, ExitCause::Protocol});
}

void Workers::send(WorkerProcess& worker, const ipc::Header& header, ipc::Bytes meta) {
  worker.channel.out().append(header, meta, ipc::Bytes{});
  if (worker.dirty) return;
  worker.dirty = true;
  dirty_.push_back(worker.id);
}

void Workers::write(WorkerProcess& worker) {
  if (worker.buried || worker.closed_at || worker.unreadable) return;
  worker.write_at.reset();
  services_.flow.frames_written.add(worker.channel.out().take_frames());
  const auto written = worker.channel.flush();
  if (written == FrameStream::Written::Later) {
    worker.write_at = services_.engine.now() + FrameStream::kLater;
    worker.blocked = true;
    due_ = std::min(due_, *worker.write_at);
    return;
  }
  if (written == FrameStream::Written::Unreadable) {
    worker.unreadable = worker.channel.out().source();
    worker.blocked = true;
    due_ = services_.engine.now();
    return;
  }
  worker.blocked = written == FrameStream::Written::Blocked;
  const auto& watch = worker.write_watch ? worker.write_watch : worker.channel_watch;
  if (worker.blocked && watch) watch->want_write();
  if (written != FrameStream::Written::Closed) return;
  // What it sent before it closed is still to be read; the end of that says that it closed. Of two
  // FIFOs one may be closed alone.
  worker.blocked = true;
  if (worker.channel.over_pipes()) reader_gone(worker);
}

// It waits for the rest of an assignment, and nothing can follow that. The attempt ends by its
// payload, and is not charged with the end of the worker. Order: the core first knows that nothing
// more can be given to this worker.
void Workers::end_unreadable(WorkerProcess& worker) {
  const auto& payload = worker.unreadable;
  services_.log.error(places_.slot_name(worker.slot) +
                      " is ended: the payload that it was being sent cannot be read any more");
  worker.broken = true;
  if (worker.channel_watch) worker.channel_watch->stop_reading();
  services_.engine.step(event::WorkerBroken{worker.id, ExitCause::ChannelClosed});
  const auto its = std::ranges::find_if(worker.in_hand, [&](const InHand& held) {
    const auto stored = services_.store.find(held.key.task);
    return stored && stored->body && stored->body->descriptor() == payload;
  });
  if (its == worker.in_hand.end()) return;
  ipc::Frame nothing;
  event::AttemptAnswered refused{worker.id, its->key, Outcome::FailedForGood};
  refused.ungiven = true;
  answer(worker, nothing, refused, kUnreadable);
}

void Workers::flush() {
  services_.stamps.sent();
  for (const auto id : dirty_) {
    const auto found = workers_.find(id.value);
    if (found == workers_.end()) continue;
    found->second->dirty = false;
    if (!found->second->blocked) write(*found->second);
  }
  dirty_.clear();
}

WorkerProcess* Workers::reachable(WorkerId worker) {
  const auto found = workers_.find(worker.value);
  if (found == workers_.end() || found->second->buried || found->second->broken) return nullptr;
  return found->second.get();
}

void Workers::carry(const command::Assign& command) {
  auto* worker = reachable(command.worker);
  if (worker == nullptr) return;
  const auto now = services_.engine.now();
  worker->in_hand.push_back({.key = command.key,
                             .type = command.type,
                             .assigned_at = now,
                             .begun_at = now,
                             .memory_max = command.memory_max});
  auto& held = worker->in_hand.back();
  services_.stamps.note(command.key.task, ipc::Stamp::Assigned);
  services_.flow.in_hand.add(worker->in_hand.size());
  memory_.given(*worker);
  left_behind_.given(*worker);
  // Most take descriptors, and then there is nothing to look up.
  if (const auto why = why_not_given(services_, worker->features, command.key.task); !why.empty()) {
    ipc::Frame nothing;
    event::AttemptAnswered refused{worker->id, command.key, Outcome::FailedForGood};
    refused.ungiven = true;
    return answer(*worker, nothing, refused, why);
  }
  if (worker->fresh_directories) return directories_.begin(*worker, held, command);
  give(*worker, held, command, {});
}

void Workers::give(WorkerProcess& worker, InHand& held, const command::Assign& command,
                   std::string_view directory) {
  const auto stored = services_.store.find(command.key.task);
  // It waited for its directory, and was given up meanwhile: its worker cannot be killed.
  if (!directory.empty() && (!stored || stored->verdict)) return;
  REQUIRE(stored && !stored->verdict);
  const auto& type = services_.types.at(command.type).name;
  const auto given = worker.types.number_of(command.type, type);
  if (given.is_new) {
    send(worker, {.kind = ipc::Kind::TypeName, .type = given.number},
         encoded(ipc::TypeNameMeta{type}));
  }
  auto header = ipc::run_header(ipc::Kind::Assign, command.key);
  header.type = given.number;
  header.flags = ipc::content_flags(stored->content);
  const bool stamps = (worker.features & ipc::feature::kStamps) != 0;
  if (stamps && services_.stamps.ask(command.key.task, worker.id)) {
    header.flags |= ipc::flag::kStamped;
  }
  ipc::AssignMeta meta;
  meta.timeout = command.timeout;
  meta.deadline_left = command.deadline_left;
  meta.failures = command.failures;
  meta.crashes = command.crashes;
  meta.directory = directory;
  if (stored->body->is_by_descriptor()) {
    append_large(worker.channel.out(), worker.features, header, *stored, meta);
  } else if (auto both = with_checkpoint(worker, *stored, meta); !both.empty()) {
    worker.channel.out().append(header, encoded(meta), std::move(both));
  } else if (auto shared = stored->body->shared(); shared.size() != 0) {
    worker.channel.out().append(header, encoded(meta), std::move(shared));
  } else {
    worker.channel.out().append(header, encoded(meta), stored->body->bytes());
  }
  if (worker.registered) remember(worker, held);
  if (worker.dirty) return;
  worker.dirty = true;
  dirty_.push_back(worker.id);
}

void Workers::carry(const command::CancelAttempt& command) {
  auto* worker = reachable(command.worker);
  // It may be this attempt whose answer waits, and that came in time.
  if (worker != nullptr && worker->held) {
    worker->held->released = true;
    due_ = services_.engine.now();
  }
  if (worker == nullptr) return;
  note_ending(*worker, command);
  if (directories_.cancel(*worker, command.key)) return;
  if ((worker->features & ipc::feature::kCancel) == 0) return;
  send(*worker, ipc::run_header(ipc::Kind::CancelAttempt, command.key),
       encoded(ipc::CancelAttemptMeta{command.cause}));
}

void Workers::carry(const command::Recall& command) {
  auto* worker = reachable(command.worker);
  if (worker == nullptr || (worker->features & ipc::feature::kRecall) == 0) return;
  if (!directories_.is_given(*worker, command.key)) return returned(*worker, command.key);
  send(*worker, ipc::run_header(ipc::Kind::Recall, command.key));
}

void Workers::carry(const command::Retire& command) {
  auto* worker = reachable(command.worker);
  if (worker == nullptr || !worker->ready) return;
  worker->retired = true;
  const bool again = stopping_ && (worker->features & ipc::feature::kRegistered) != 0;
  send(*worker,
       {.kind = ipc::Kind::Retire, .flags = again ? ipc::flag::kComeAgain : std::uint8_t{0}});
}

// Its hello came over the one, and by then it has opened the other. From here on it is noticed when
// it closes either.
void Workers::begin_over_fifos(WorkerProcess& worker) {
  worker.child.fifos.reset();
  if (worker.write_watch) worker.write_watch->start_reading();
}

void Workers::on_hello(WorkerProcess& worker, const ipc::Frame& frame) {
  const auto hello = ipc::decode<ipc::HelloMeta>(frame.meta);
  if (!hello) return break_off(worker, hello.error().code, hello.error().text);
  const auto& header = frame.header;
  if (worker.ready || hello->role != ipc::Role::Worker || header.id != worker.id.value ||
      header.token != worker.token) {
    return break_off(worker, static_cast<int>(Refusal::HelloExpected),
                     "its hello does not carry the id and token of a new worker");
  }
  if (worker.fresh_directories && (hello->features & ipc::feature::kDirectory) == 0) {
    return break_off(worker, static_cast<int>(Refusal::HelloExpected),
                     "its class has directory = \"fresh\", and its program does not know the "
                     "feature directory; update it, or leave directory out");
  }
  if (hello->version_min > ipc::kVersion || hello->version_max < ipc::kVersion) {
    return break_off(worker, static_cast<int>(Refusal::BadVersion),
                     "it does not speak version " + std::to_string(ipc::kVersion));
  }
  worker.started_in = services_.engine.now() - worker.spawned_at;
  if (worker.generation != 0) templates_.note_ready(worker.worker_class, *worker.started_in);
  if (worker.child.fifos) begin_over_fifos(worker);
  begin(worker, hello->features & worker.channel.features() & ipc::feature::kOfWorker,
        header.credits);
}

void Workers::begin(WorkerProcess& worker, std::uint64_t features, std::uint64_t asked) {
  worker.ready = true;
  ++figures_.reuse[worker.worker_class].begun;
  worker.features = features;
  constexpr auto kNeeded = ipc::feature::kLarge | ipc::feature::kDescriptors;
  const bool large = (features & kNeeded) == kNeeded && services_.options().large_bytes_max != 0;
  if (!large) worker.features &= ~ipc::feature::kLarge;
  if (large) worker.channel.keep_descriptors();
  left_behind_.begin(worker);
  give_page(worker);
  welcome(worker);
  const bool many = (worker.features & ipc::feature::kCredits) != 0;
  const auto allowed = credits_of(services_.options_of(worker.worker_class));
  const auto said = std::max<std::uint64_t>(asked, 1);
  const auto credits = many ? std::min(said, allowed) : 1;
  services_.engine.step(event::WorkerReady{worker.id, static_cast<std::uint8_t>(credits),
                                           (worker.features & ipc::feature::kRecall) != 0,
                                           (worker.features & ipc::feature::kCheckpoint) != 0});
}

// A worker without a page beats by frames, and so does one whose page cannot be had.
void Workers::give_page(WorkerProcess& worker) {
  const bool wanted =
      (worker.features & ipc::feature::kByDescriptor) == ipc::feature::kByDescriptor;
  worker.features &= ~ipc::feature::kPage;
  if (!wanted) return;
  ipc::UniqueFd to_give;
  auto page = ipc::PageReader::make(worker.id.value, to_give);
  if (!page) {
    services_.log.warn(places_.slot_name(worker.slot) + " beats by frames: " + page.error().text);
    return;
  }
  worker.page = std::move(*page);
  worker.features |= ipc::feature::kPage;
  worker.channel.send_descriptor(std::move(to_give));
}

void Workers::welcome(WorkerProcess& worker) {
  const auto& options = services_.options();
  auto& reader = worker.channel.reader();
  reader.set_rules(ipc::after_hello(reader.rules(), frame_bytes_max(options), worker.features));
  ipc::WelcomeMeta meta;
  meta.features = worker.features;
  meta.frame_bytes_max = announced_bytes_max(options);
  meta.payload_bytes_max = options.payload_bytes_max;
  meta.result_bytes_max = options.result_bytes_max;
  // Of a worker it is results that come so.
  meta.large_bytes_max =
      std::min(large_bytes_max(options, worker.features), options.results_bytes_max);
  meta.heartbeat_interval = options.heartbeat_interval;
  meta.server = kServerName;
  const std::uint8_t descriptors = worker.page ? 1 : 0;
  const auto id = worker.registered ? worker.id.value : 0;
  send(worker, {.kind = ipc::Kind::Welcome, .id = id, .descriptors = descriptors}, encoded(meta));
}

void Workers::on_stamps(WorkerProcess& worker, const ipc::Frame& frame) {
  ipc::WorkerStamps stamps;
  if (!ipc::decode_stamps(frame.payload, stamps)) {
    return break_off(worker, static_cast<int>(Refusal::BadFrame),
                     "stamps: its payload is not four times of 8 bytes");
  }
  services_.stamps.take(TaskId{frame.header.id}, worker.id, stamps);
}

void Workers::on_beat(WorkerProcess& worker, const ipc::Frame&) {
  services_.engine.step(event::WorkerBeat{worker.id});
}

void Workers::on_recalled(WorkerProcess& worker, const ipc::Frame& frame) {
  const auto key = ipc::key_of(frame.header);
  if ((frame.header.flags & ipc::flag::kReturned) != 0) return returned(worker, key);
  services_.engine.step(event::RecallAnswered{worker.id, key, false});
}

void Workers::returned(WorkerProcess& worker, const AttemptKey& key) {
  const auto held = std::ranges::find(worker.in_hand, key, &InHand::key);
  if (held != worker.in_hand.end()) {
    forget(*held);
    worker.in_hand.erase(held);
  }
  services_.engine.step(event::RecallAnswered{worker.id, key, true});
  directories_.go_on(worker);
}

void Workers::on_ping(WorkerProcess& worker, const ipc::Frame& frame) {
  send(worker, {.kind = ipc::Kind::Pong, .token = frame.header.token});
}

void Workers::on_pong(WorkerProcess& worker, const ipc::Frame& frame) {
  health_.checks().pong(worker, frame.header.token);
}

void Workers::on_report(WorkerProcess& worker, const ipc::Frame& frame) {
  const auto report = ipc::decode<ipc::ReportMeta>(frame.meta);
  if (!report) return break_off(worker, report.error().code, report.error().text);
  const auto started = [&worker]() -> std::optional<std::int64_t> {
    const auto found = worker.said.gauges.find(kProcessesStarted);
    if (found == worker.said.gauges.end()) return std::nullopt;
    return std::max<std::int64_t>(found->second, 0);
  };
  const auto before = started();
  health_.said(worker, frame, *report);
  // The first one may have counted for another daemon before.
  const auto now = started().value_or(0);
  const auto more =
      before ? std::max<std::int64_t>(now - *before, 0) : std::min<std::int64_t>(now, 1);
  figures_.reuse[worker.worker_class].started += static_cast<std::uint64_t>(more);
}

}  // namespace warmpool::daemon
