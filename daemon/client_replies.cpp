// The core's answers as frames. A request that is answered is closed and frees its place; one that
// waits for a task stays open until the task has settled.
#include "daemon/clients.hpp"
#include "daemon/large_frames.hpp"
#include "daemon/refusals.hpp"
#include "daemon/worker_process.hpp"
#include "ipc/codec.hpp"

namespace warmpool::daemon {
namespace {

// While so much is unread partial results are left out: the next one stands for them.
constexpr std::size_t kPartialUnsentMax = 1U << 20;

std::uint32_t number_of(RequestId request) { return static_cast<std::uint32_t>(request.value - 1); }

bool has(std::uint8_t flags, std::uint8_t flag) { return (flags & flag) != 0; }

std::uint8_t flag_of(Durability durability) {
  switch (durability) {
    case Durability::Full:
      return 0;
    case Durability::Relaxed:
      return ipc::flag::kRelaxed;
    case Durability::None:
      return ipc::flag::kMemoryOnly;
  }
  return 0;
}

}  // namespace

template <class Meta>
ipc::Bytes Clients::encoded(const Meta& meta) {
  meta_.clear();
  ipc::encode(meta, meta_);
  return ipc::bytes_of(meta_);
}

template ipc::Bytes Clients::encoded(const ipc::WelcomeMeta&);

void Clients::carry(const command::Accepted& command) {
  auto* session = find(command.client);
  if (session == nullptr) return;
  const auto number = number_of(command.request);
  const auto& open = session->open.at(number);
  const auto stored = services_.store.find(command.task);
  std::uint8_t flags = stored ? flag_of(stored->durability) : std::uint8_t{0};
  if (command.duplicate) flags |= ipc::flag::kDuplicate;
  session->stream.out().append(
      {.kind = ipc::Kind::Accepted, .flags = flags, .id = command.task.value, .token = open.token},
      {}, ipc::Bytes{});
  if (has(open.flags, ipc::flag::kWait)) {
    if ((session->features & ipc::feature::kStamps) != 0 && !command.duplicate) {
      services_.stamps.begin(command.task, session->id, open.token, session->received_at[number]);
    }
    mark_later(*session, kAcceptedLateMax);
    wait_or_answer(*session, number, command.task, stored);
  } else {
    mark(*session);
    session->open.close(number);
  }
}

void Clients::wait_or_answer(Session& session, std::uint32_t number, TaskId task,
                             const std::optional<StoredTask>& stored) {
  if (!stored) return refuse(session, number, task, Refusal::NoSuchTask);
  if (stored->verdict && !services_.settling.contains(task)) {
    if (stored->result_gone) {
      return refuse(session, number, task, Refusal::NoSuchTask,
                    "the result of task " + std::to_string(task.value) +
                        " was taken and is not kept; to fetch it again, submit with keep_result");
    }
    return send_settled(session, number, *stored);
  }
  const bool progress = has(session.open.at(number).flags, ipc::flag::kProgress) &&
                        (session.features & ipc::feature::kProgress) != 0;
  services_.waiters.add(task, {session.id, number, progress});
}

void Clients::carry(const command::Refused& command) {
  auto* session = find(command.client);
  if (session == nullptr) return;
  const auto number = number_of(command.request);
  auto& open = session->open.at(number);
  if (open.parts == 1 && open.succeeded + open.refused == 0) {
    refuse(*session, number, command.task, command.code, {}, command.retry_after);
    return;
  }
  if (open.refusals.size() < kRefusalsNamedMax) {
    open.refusals.push_back({command.task, command.code});
  }
  if (part_done(open, false)) reply(*session, number, on_completion_(open, nullptr));
}

void Clients::carry(const command::Cancelled& command) {
  auto* session = find(command.client);
  if (session == nullptr) return;
  const auto number = number_of(command.request);
  const auto flags = command.kept ? std::uint8_t{0} : ipc::flag::kMemoryOnly;
  session->stream.out().append({.kind = ipc::Kind::Cancelled,
                                .flags = flags,
                                .id = command.task.value,
                                .token = session->open.at(number).token},
                               encoded(ipc::CancelledMeta{.rung = command.rung}), ipc::Bytes{});
  session->open.close(number);
  mark(*session);
}

void Clients::carry(const command::Completed& command) {
  auto* session = find(command.client);
  if (session == nullptr) return;
  const auto number = number_of(command.request);
  auto& open = session->open.at(number);
  if (part_done(open, true)) reply(*session, number, on_completion_(open, &command));
}

// True when it was the last part.
bool Clients::part_done(OpenRequest& open, bool succeeded) {
  ++(succeeded ? open.succeeded : open.refused);
  return open.succeeded + open.refused == open.parts;
}

void Clients::carry(const command::Announce& command) {
  services_.settling.end(command.task);
  services_.stamps.settled(command.task);
  services_.waiters.take(command.task, waiters_);
  if (waiters_.empty()) return;
  const auto stored = services_.store.find(command.task);
  for (const auto& waiter : waiters_) {
    auto* session = find(waiter.client);
    if (session == nullptr) continue;
    if (stored && stored->verdict) {
      send_settled(*session, waiter.request, *stored);
    } else {
      refuse(*session, waiter.request, command.task, Refusal::NoSuchTask);
    }
  }
}

void Clients::send_settled(Session& session, std::uint32_t number, const StoredTask& task) {
  ipc::Header header{.kind = ipc::Kind::Settled,
                     .id = task.task.value,
                     .token = session.open.at(number).token,
                     .round = task.round,
                     .attempt = task.attempt};
  ipc::SettledMeta meta;
  meta.verdict = *task.verdict;
  meta.cause = task.cause;
  meta.charged_failures = task.used.failures;
  meta.charged_crashes = task.used.crashes;
  auto& out = session.stream.out();
  if (*task.verdict != Verdict::Done) {
    header.flags = ipc::content_flags(Content::Utf8);
    out.append(header, encoded(meta),
               task.error == nullptr ? ipc::Bytes{} : ipc::bytes_of(*task.error));
  } else {
    header.flags = ipc::content_flags(task.content);
    if (task.body->is_by_descriptor()) return send_large(session, number, task, header, meta);
    if (auto shared = task.body->shared(); shared.size() != 0) {
      out.append(header, encoded(meta), std::move(shared));
    } else {
      out.append(header, encoded(meta), task.body->bytes());
    }
  }
  session.open.close(number);
  mark(session);
}

// Who takes no descriptors gets the bytes where a frame can have them.
void Clients::send_large(Session& session, std::uint32_t number, const StoredTask& task,
                         const ipc::Header& header, ipc::SettledMeta meta) {
  const auto bytes = task.body->size();
  auto& out = session.stream.out();
  if ((session.features & ipc::feature::kLarge) != 0) {
    meta.large_bytes = static_cast<std::uint32_t>(bytes);
    out.append(header, encoded(meta), {}, task.body->descriptor());
  } else if (fits_frame(bytes, services_.options())) {
    if (!can_be_read(*task.body)) {
      return refuse(session, number, task.task, Refusal::NoResult,
                    "the task is done, and its result cannot be read from the disk; see the log "
                    "of the system for errors of it, and ask again");
    }
    out.append(header, encoded(meta), task.body->descriptor(), bytes, {});
  } else {
    const auto text = "the result has " + std::to_string(bytes) +
                      " bytes, and this client does not know the feature large; fetch it with: "
                      "warmpool result " +
                      std::to_string(task.task.value);
    return refuse(session, number, task.task, Refusal::ByDescriptorOnly, text);
  }
  session.open.close(number);
  mark(session);
}

// Behind the results, in the same write.
void Clients::tell_stamps() {
  for (const auto& told : services_.stamps.take_told()) {
    auto* session = find(told.client);
    if (session == nullptr) continue;
    session->stream.out().append(
        {.kind = ipc::Kind::Stamps, .id = told.task.value, .token = told.token}, {},
        ipc::bytes_of(ipc::encode_stamps(told.stamps)));
    mark(*session);
  }
}

void Clients::progressed(const AttemptKey& key, const Progress& progress) {
  const ipc::ProgressMeta meta{.permille = progress.permille, .text = progress.text};
  services_.waiters.watching(key.task, waiters_);
  for (const auto& waiter : waiters_) {
    auto* session = find(waiter.client);
    if (session == nullptr) continue;
    auto header = ipc::run_header(ipc::Kind::Progressed, key);
    header.token = session->open.at(waiter.request).token;
    auto& out = session->stream.out();
    const bool partial = (session->features & ipc::feature::kPartial) != 0 &&
                         out.bytes() <= kPartialUnsentMax && !progress.partial.empty();
    if (partial) header.flags = ipc::content_flags(progress.content);
    out.append(header, encoded(meta), partial ? ipc::bytes_of(progress.partial) : ipc::Bytes{});
    mark(*session);
  }
}

void Clients::event(Session& session, std::uint32_t number, std::uint64_t id, std::uint8_t flags,
                    std::string_view document) {
  const ipc::Header header{
      .kind = ipc::Kind::Event,
      .flags = static_cast<std::uint8_t>(flags | ipc::content_flags(Content::Json)),
      .id = id,
      .token = session.open.at(number).token};
  session.stream.out().append(header, {}, ipc::bytes_of(document));
  mark(session);
}

void Clients::reply(Session& session, std::uint32_t number, std::string document) {
  if (document.size() > kDocumentBytesMax) {
    return refuse(session, number, {}, Refusal::BadArgument,
                  "the answer is over 16 MiB; ask for fewer at a time");
  }
  const ipc::Header header{.kind = ipc::Kind::Reply,
                           .flags = ipc::content_flags(Content::Json),
                           .token = session.open.at(number).token};
  session.stream.out().append(header, {}, std::move(document));
  session.open.close(number);
  mark(session);
}

void Clients::refuse(Session& session, std::uint32_t number, TaskId task, Refusal code,
                     std::string_view detail, Duration retry_after) {
  ipc::RefusedMeta meta;
  meta.code = static_cast<std::uint16_t>(code);
  const auto text = detail.empty() ? refusal_text(code, task) : std::string(detail);
  meta.text = ipc::cut_text(text, 2048);
  meta.retry_after = retry_after;
  session.stream.out().append(
      {.kind = ipc::Kind::Refused, .id = task.value, .token = session.open.at(number).token},
      encoded(meta), ipc::Bytes{});
  session.open.close(number);
  mark(session);
}

}  // namespace warmpool::daemon
