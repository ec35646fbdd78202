// The life of a connection. A session is never destroyed while one of its frames is handled: it is
// marked Gone, and taken away when the turn ends. Writes happen once a turn, gathered, so that a
// burst of a thousand replies is one system call.
#include "daemon/clients.hpp"

#include <algorithm>
#include <sys/socket.h>

#include "daemon/refusals.hpp"
#include "ipc/codec.hpp"

namespace warmpool::daemon {
namespace {

// Unread replies of all clients together; beyond it the one with most is cut.
constexpr std::size_t kUnreadTotalMax = std::size_t{1} << 30;
// A client that has this much unread is not read from until it has taken half of it.
constexpr std::size_t kPauseBytes = 4U << 20;
// How long an ending session may take to read what is queued for it.
constexpr Duration kEndingMax = seconds(5);

constexpr std::string_view kUnannounced =
    "a descriptor came with a frame that announces none, or more than one with a frame";

}  // namespace

std::uint32_t frame_bytes_max(const Options& options) {
  const auto largest = std::max(options.payload_bytes_max, options.result_bytes_max);
  return static_cast<std::uint32_t>(largest + ipc::kMetaBytesMax + ipc::kCheckpointBytesMax +
                                    64 * 1024);
}

std::uint32_t announced_bytes_max(const Options& options) {
  return std::max(frame_bytes_max(options), kDocumentBytesMax);
}

Clients::Clients(Services& services, Intake& intake, const ipc::RoleTable& roles)
    : services_(services), intake_(intake), roles_(roles) {}
Clients::~Clients() = default;

void Clients::adopt(ipc::UniqueFd fd) {
  const auto peer = ipc::peer_of(fd.get());
  if (!peer) return;
  const ClientId id = make_id();
  auto session = std::make_unique<Session>(id, std::move(fd), *peer, roles_.kind_of(*peer),
                                           services_.engine.now());
  auto& added = *session;
  added.watch = services_.reactor.watch(
      added.stream.fd(), [this, &added] { read(added); }, [this, &added] { write(added); });
  if (!added.watch) return;
  sessions_.emplace(id.value, std::move(session));
  ++figures_.accepted;
  if (sessions_.size() > services_.options().connections_max) {
    ++figures_.refused;
    break_off(added, static_cast<int>(Refusal::ConnectionsFull), {});
    return;
  }
  added.watch->start_reading();
}

Session* Clients::find(ClientId client) {
  const auto found = sessions_.find(client.value);
  if (found == sessions_.end() || found->second->state == Session::State::Gone) return nullptr;
  return found->second.get();
}

void Clients::read(Session& session) {
  switch (session.stream.read()) {
    case FrameStream::Read::Nothing:
      return;
    case FrameStream::Read::Closed:
      drop(session);
      return;
    case FrameStream::Read::Some:
      break;
  }
  take_frames(session);
  if (session.state == Session::State::Gone || session.held) return;
  if (session.stream.out().bytes() > kPauseBytes && session.state == Session::State::Open) {
    session.paused = true;
    session.watch->stop_reading();
  }
}

void Clients::take_frames(Session& session) {
  using Next = ipc::FrameReader::Next;
  ipc::Frame frame;
  std::uint32_t whole = 0;
  while (session.state <= Session::State::Open && !session.held) {
    const auto next = session.stream.next(frame);
    if (next == Next::More) break;
    if (next == Next::Broken) {
      const auto error = session.stream.reader().error();
      break_off(session, error.code, error.text);
      return;
    }
    ++whole;
    handle(session, frame);
  }
  services_.flow.frames_read.add(whole);
  if (session.state == Session::State::Gone) return;
  const bool in_frame = session.stream.reader().in_frame();
  if (!session.held && !session.stream.came().is_in_order(in_frame)) {
    return break_off(session, static_cast<int>(Refusal::BadFrame), kUnannounced);
  }
  if (!in_frame) {
    session.frame_since.reset();
  } else if (whole != 0 || !session.frame_since) {
    session.frame_since = services_.engine.now();
  }
}

// An error is the last frame that it gets.
void Clients::break_off(Session& session, int code, std::string_view text) {
  if (session.state >= Session::State::Ending) return;
  ++figures_.protocol_errors;
  const auto number = static_cast<std::uint16_t>(code);
  if (text.empty()) text = meaning_of(static_cast<Refusal>(number));
  services_.log.info("client " + std::to_string(session.id.value) + " (pid " +
                     std::to_string(session.peer.pid) + ") is sent away: " + std::string(text));
  meta_.clear();
  ipc::encode(ipc::ErrorMeta{number, ipc::cut_text(text, 1024)}, meta_);
  session.stream.out().append({.kind = ipc::Kind::Error}, ipc::bytes_of(meta_), ipc::Bytes{});
  session.state = Session::State::Ending;
  session.since = services_.engine.now();
  session.watch->stop_reading();
  mark(session);
}

void Clients::drop(Session& session) {
  if (session.state == Session::State::Gone) return;
  session.state = Session::State::Gone;
  session.watch.reset();
  gone_.push_back(session.id);
  services_.waiters.drop(session.id);
  services_.engine.step(event::ClientGone{session.id});
}

void Clients::mark(Session& session) {
  if (session.dirty) return;
  session.dirty = true;
  dirty_.push_back(session.id);
}

void Clients::mark_later(Session& session, Duration after) {
  if (session.dirty || session.write_at != kNever) return;
  session.write_at = services_.engine.now() + after;
  const auto its = std::ranges::upper_bound(later_, session.write_at, {}, &Later::at);
  later_.insert(its, {session.id, session.write_at});
}

void Clients::mark_due() {
  while (!later_.empty()) {
    const auto [client, at] = later_.front();
    auto* session = find(client);
    const bool waits = session != nullptr && session->write_at == at;
    if (waits && at > services_.engine.now()) return;
    if (waits) mark(*session);
    later_.pop_front();
  }
}

void Clients::write(Session& session) {
  if (session.state == Session::State::Gone) return;
  session.write_at = kNever;
  services_.flow.frames_written.add(session.stream.out().take_frames());
  const auto written = session.stream.flush();
  session.blocked = written == FrameStream::Written::Blocked;
  if (written == FrameStream::Written::Unreadable) {
    services_.log.error("client " + std::to_string(session.id.value) +
                        " is cut off: the result that it was being sent cannot be read any more");
    drop(session);
  } else if (written == FrameStream::Written::Closed) {
    drop(session);
  } else if (written == FrameStream::Written::Later) {
    mark_later(session, FrameStream::kLater);
  } else if (session.blocked) {
    session.watch->want_write();
  } else if (session.state == Session::State::Ending) {
    drop(session);
  }
  if (session.state == Session::State::Open) resume(session);
}

void Clients::resume(Session& session) {
  if (!session.paused || session.stream.out().bytes() > kPauseBytes / 2) return;
  session.paused = false;
  if (session.held) return;
  if (session.frame_since) session.frame_since = services_.engine.now();
  session.watch->start_reading();
}

void Clients::flush() {
  mark_due();
  if (!services_.stamps.empty()) tell_stamps();
  const auto unread_max = services_.options().output_bytes_max;
  for (std::size_t i = 0; i < dirty_.size(); ++i) {
    auto* session = find(dirty_[i]);
    if (session == nullptr) continue;
    session->dirty = false;
    if (!session->blocked) write(*session);
    if (session->state == Session::State::Gone) continue;
    if (session->stream.out().bytes() <= unread_max) continue;
    ++figures_.cut;
    services_.log.warn("client " + std::to_string(session->id.value) + " (pid " +
                       std::to_string(session->peer.pid) + ") reads no replies; cut at " +
                       bytes_text(unread_max) + " (output_bytes_max)");
    drop(*session);
  }
  dirty_.clear();
}

void Clients::cut_largest() {
  unread_bytes_ = 0;
  Session* largest = nullptr;
  for (const auto& [id, session] : sessions_) {
    if (!session->blocked || session->state == Session::State::Gone) continue;
    unread_bytes_ += session->stream.out().bytes();
    const bool more =
        largest == nullptr || session->stream.out().bytes() > largest->stream.out().bytes();
    if (more) largest = session.get();
  }
  if (unread_bytes_ <= kUnreadTotalMax || largest == nullptr) return;
  ++figures_.cut;
  services_.log.warn("unread replies of all clients are over 1 GiB; the client with most is cut");
  drop(*largest);
}

void Clients::sweep() {
  const auto now = services_.engine.now();
  const auto timeout = services_.options().frame_timeout;
  for (const auto& [id, session] : sessions_) {
    const auto age = now - session->since;
    if (session->state == Session::State::Hello && age > timeout) {
      break_off(*session, static_cast<int>(Refusal::TooSlow), "no hello came in time");
    } else if (session->state == Session::State::Open && session->frame_since && !session->paused &&
               !session->held && now - *session->frame_since > timeout) {
      break_off(*session, static_cast<int>(Refusal::TooSlow), {});
    } else if (session->state == Session::State::Ending && age > kEndingMax) {
      drop(*session);
    }
  }
  cut_largest();
}

void Clients::bury() {
  for (const auto id : gone_) sessions_.erase(id.value);
  gone_.clear();
}

void Clients::say_goodbye() {
  for (const auto& [id, session] : sessions_) {
    break_off(*session, static_cast<int>(Refusal::Stopping), {});
  }
}

ClientFigures Clients::figures() const {
  auto figures = figures_;
  figures.connected = sessions_.size();
  figures.waiting = services_.waiters.size();
  figures.unread_bytes = unread_bytes_;
  return figures;
}

}  // namespace warmpool::daemon
