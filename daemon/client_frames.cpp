// One function for each kind of frame that a client sends, and the table that finds it. Rights are
// checked here, before the core hears of anything.
#include <algorithm>

#include "daemon/clients.hpp"
#include "daemon/large_frames.hpp"
#include "ipc/codec.hpp"

namespace warmpool::daemon {

const Clients::FrameRow Clients::kFrames[] = {
    {ipc::Kind::Submit, &Clients::on_submit},
    {ipc::Kind::Received, &Clients::on_received},
    {ipc::Kind::Await, &Clients::on_await},
    {ipc::Kind::Cancel, &Clients::on_cancel},
    {ipc::Kind::Request, &Clients::on_request_frame},
    {ipc::Kind::TypeName, &Clients::on_type_name},
    {ipc::Kind::Ping, &Clients::on_ping},
    {ipc::Kind::Pong, &Clients::on_pong},
    {ipc::Kind::Hello, &Clients::on_hello},
};

void Clients::handle(Session& session, const ipc::Frame& frame) {
  const auto* row = std::ranges::find(kFrames, frame.header.kind, &FrameRow::kind);
  if (row == std::end(kFrames)) {
    break_off(session, static_cast<int>(Refusal::UnknownKind), {});
    return;
  }
  (this->*row->handler)(session, frame);
}

void Clients::on_hello(Session& session, const ipc::Frame& frame) {
  const auto hello = ipc::decode<ipc::HelloMeta>(frame.meta);
  if (!hello) return break_off(session, hello.error().code, hello.error().text);
  if (session.state != Session::State::Hello) {
    return break_off(session, static_cast<int>(Refusal::HelloExpected), "hello comes once");
  }
  if (hello->version_min > ipc::kVersion || hello->version_max < ipc::kVersion) {
    return break_off(
        session, static_cast<int>(Refusal::BadVersion),
        "this daemon speaks version " + std::to_string(ipc::kVersion) + "; update the older side");
  }
  if (session.kind == ipc::PeerKind::Other) {
    return break_off(session, static_cast<int>(Refusal::NotAllowed), {});
  }
  if (hello->role == ipc::Role::Worker) return hand_over(session, frame, *hello);
  const auto& options = services_.options();
  session.features = hello->features & ipc::feature::kOfClient;
  session.state = Session::State::Open;
  const bool large = options.large_bytes_max != 0;
  if (!large) session.features &= ~ipc::feature::kLarge;
  if (!may_send_arenas(session)) session.features &= ~ipc::feature::kArena;
  if ((session.features & ipc::feature::kLarge) != 0) session.stream.keep_descriptors();
  auto& reader = session.stream.reader();
  reader.set_rules(ipc::after_hello(reader.rules(), frame_bytes_max(options), session.features));
  ipc::WelcomeMeta welcome;
  welcome.large_bytes_max = large_bytes_max(options, session.features);
  welcome.features = session.features;
  welcome.frame_bytes_max = announced_bytes_max(options);
  welcome.payload_bytes_max = options.payload_bytes_max;
  welcome.result_bytes_max = options.result_bytes_max;
  welcome.in_flight_max = options.in_flight_max;
  welcome.heartbeat_interval = options.heartbeat_interval;
  welcome.server = kServerName;
  session.stream.out().append({.kind = ipc::Kind::Welcome}, encoded(welcome), ipc::Bytes{});
  mark(session);
}

// What it can change under its reader, and fills with what comes later, goes to processes of its
// own user alone. Workers that others started are that user's or root's, who knows it by its owner.
bool Clients::may_send_arenas(const Session& session) const {
  const bool large = (session.features & ipc::feature::kLarge) != 0;
  if (!large || session.kind != ipc::PeerKind::Owner) return false;
  return std::ranges::all_of(services_.configuration.classes, [](const auto& worker_class) {
    return worker_class.values.user.empty();
  });
}

// From here on it is no client: it has nothing that would end with it.
void Clients::hand_over(Session& session, const ipc::Frame& frame, const ipc::HelloMeta& hello) {
  if (!session.may(ipc::Right::Control)) {
    return break_off(session, static_cast<int>(Refusal::NotAllowed),
                     "only the daemon's user and root may register workers");
  }
  session.watch.reset();
  session.state = Session::State::Gone;
  gone_.push_back(session.id);
  on_worker_(std::move(session.stream), session.peer, frame.header, hello);
}

void Clients::on_ping(Session& session, const ipc::Frame& frame) {
  session.stream.out().append({.kind = ipc::Kind::Pong, .token = frame.header.token}, {},
                              ipc::Bytes{});
  mark(session);
}

void Clients::on_pong(Session&, const ipc::Frame&) {}

void Clients::on_type_name(Session& session, const ipc::Frame& frame) {
  const auto meta = ipc::decode<ipc::TypeNameMeta>(frame.meta);
  if (!meta) return break_off(session, meta.error().code, meta.error().text);
  const auto number = frame.header.type;
  if (auto learned = session.names.learn(number, meta->name); !learned) {
    return break_off(session, learned.error().code, learned.error().text);
  }
  if (session.types.size() <= number) session.types.resize(number + std::size_t{1});
  session.types[number].reset();
}

// Opens a request, or refuses it because too many are open.
bool Clients::open_request(Session& session, const ipc::Header& header, std::uint8_t verb,
                           std::uint32_t& number) {
  OpenRequest open{.token = header.token, .flags = header.flags, .verb = verb};
  const bool full = session.open.size() >= services_.options().in_flight_max;
  number = session.open.open(open);
  if ((session.features & ipc::feature::kStamps) != 0) note_received(session, number);
  if (!full) return true;
  refuse(session, number, TaskId{header.id}, Refusal::InFlightFull, {}, milliseconds(10));
  return false;
}

void Clients::note_received(Session& session, std::uint32_t number) {
  auto& at = session.received_at;
  if (at.size() <= number) at.resize(number + std::size_t{1});
  at[number] = ipc::stamp_now();
}

std::optional<TypeId> Clients::type_of(Session& session, std::uint16_t number) {
  if (number >= session.types.size()) return std::nullopt;
  auto& known = session.types[number];
  if (known) return known;
  known = intake_.find_type(session.names.name_of(number));
  return known;
}

Refusal Clients::check_submit(Session& session, std::uint16_t number, const Wish& wish,
                              TaskSpec& spec, std::string& detail) {
  if (!session.may(ipc::Right::Submit)) return Refusal::NotAllowed;
  if (const auto fault = intake_.check(wish, detail); fault != Refusal{}) return fault;
  const auto type = type_of(session, number);
  if (!type) {
    detail = wish.type.empty() ? "the type's number was never given a name (frame type-name)"
                               : intake_.unknown_type(wish.type);
    return Refusal::UnknownType;
  }
  return intake_.prepare(wish, *type, spec, detail);
}

void Clients::on_submit(Session& session, const ipc::Frame& frame) {
  const auto meta = ipc::decode<ipc::SubmitMeta>(frame.meta);
  if (!meta) return break_off(session, meta.error().code, meta.error().text);
  if ((frame.header.descriptors | meta->large_bytes) != 0) {
    return submit_large(session, frame, *meta);
  }
  std::uint32_t number = 0;
  if (open_request(session, frame.header, 0, number)) submit(session, frame, *meta, number, {});
}

// What came beside it is closed here wherever the frame goes no further.
void Clients::submit_large(Session& session, const ipc::Frame& frame, const ipc::SubmitMeta& meta) {
  auto came = session.stream.came().take();
  if (auto fit = check_large(frame, meta.large_bytes, came.has_value()); !fit) {
    return break_off(session, fit.error().code, fit.error().text);
  }
  std::uint32_t number = 0;
  if (!open_request(session, frame.header, 0, number)) return;
  if (!session.may(ipc::Right::Submit)) return refuse(session, number, {}, Refusal::NotAllowed);
  const auto& options = services_.options();
  const bool arenas = (session.features & ipc::feature::kArena) != 0;
  const auto form = arenas ? LargeBodies::Form::SealedOrArena : LargeBodies::Form::Sealed;
  auto large = services_.large.take(std::move(*came), meta.large_bytes, options.large_bytes_max,
                                    LargeBodies::Use::Payload, form, options);
  if (large) return submit(session, frame, meta, number, {}, std::move(*large));
  const auto code = static_cast<Refusal>(large.error().code);
  const auto again = code == Refusal::LargeFull ? seconds(1) : Duration{};
  refuse(session, number, {}, code, large.error().text, again);
}

void Clients::submit(Session& session, const ipc::Frame& frame, const ipc::SubmitMeta& meta,
                     std::uint32_t number, std::optional<KeptBody> kept, Blob large) {
  const auto& header = frame.header;
  Wish wish{.type = session.names.name_of(header.type),
            .meta = meta,
            .payload = frame.payload,
            .content = ipc::content_of(header),
            .cancel_on_disconnect = (header.flags & ipc::flag::kCancelOnDisconnect) != 0,
            .keep_result = (header.flags & ipc::flag::kKeepResult) != 0,
            .uid = session.peer.uid};
  wish.large.bytes = meta.large_bytes;
  if (kept && kept->file) wish.large.digest = kept->digest;
  TaskSpec spec;
  std::string detail;
  const auto fault = check_submit(session, header.type, wish, spec, detail);
  if (fault != Refusal{}) {
    if (kept && kept->file) services_.store.drop_body(kept->file);
    return refuse(session, number, {}, fault, detail);
  }
  if (!kept && hold(session, frame, number, spec.durability, large, digest_seed_of(wish.type))) {
    return;
  }
  if (frame.memory && !kept) large = Blob(frame.payload, frame.memory);
  if (!kept) kept = KeptBody{std::move(large), {}};
  // Such a key stands for the payload whole, and nobody has read it.
  const bool lasts = meta.key && meta.key_use == KeyUse::Lasting;
  if (lasts && wish.large.bytes != 0 && !wish.large.digest) {
    return refuse(session, number, {}, Refusal::BadKey,
                  "a key that lasts stands for its payload whole, and of one that is handed over "
                  "as a descriptor and kept in no file (durability none, store = \"volatile\") "
                  "the daemon never reads the bytes; give none, or one of use reconnect, or submit "
                  "it durable");
  }
  intake_.submit(session.id, id_of(number), wish, spec, std::move(*kept));
}

// Events of one connection keep their order: nothing of it is taken before this one went on.
bool Clients::hold(Session& session, const ipc::Frame& frame, std::uint32_t number,
                   Durability durability, Blob& large, std::uint64_t seed) {
  const bool is_small = frame.payload.size() <= kBodyInRowMax && large.size() == 0;
  if (is_small || durability == Durability::None) return false;
  KeptBody kept{large.size() != 0 ? large.share() : Blob(frame.payload, frame.memory), {}};
  kept.file = services_.store.begin_body(BodyKind::Payload, kept.body, seed);
  if (!kept.file) return false;
  held_.emplace_back(kept.file, session.id);
  session.held.emplace(Session::Held{frame, number, std::move(kept)});
  session.watch->stop_reading();
  return true;
}

bool Clients::carry(const BodyEnded& ended) {
  const auto its = std::ranges::find(held_, ended.file, &std::pair<BodyFile, ClientId>::first);
  if (its == held_.end()) return false;
  auto* session = find(its->second);
  held_.erase(its);
  if (session == nullptr || session->state != Session::State::Open) {
    services_.store.drop_body(ended.file);
    return true;
  }
  auto held = std::move(*session->held);
  session->held.reset();
  held.kept.file = ended.fault.empty() ? ended.file : BodyFile();
  held.kept.digest = ended.digest;
  if (!held.kept.file && held.kept.body.is_by_descriptor()) {  // too large for a row
    refuse(*session, held.number, {}, Refusal::StoreUnavailable,
           "the payload cannot be kept: " + ended.fault, seconds(1));
  } else if (held.frame.header.kind == ipc::Kind::Submit) {
    const auto meta = ipc::decode<ipc::SubmitMeta>(held.frame.meta);
    REQUIRE(meta);
    submit(*session, held.frame, *meta, held.number, std::move(held.kept));
  } else {
    const auto meta = ipc::decode<ipc::RequestMeta>(held.frame.meta);
    REQUIRE(meta);
    request(*session, held.frame, *meta, held.number, std::move(held.kept));
  }
  take_frames(*session);
  if (session->state == Session::State::Open && !session->held && !session->paused) {
    session->watch->start_reading();
  }
  return true;
}

void Clients::on_await(Session& session, const ipc::Frame& frame) {
  std::uint32_t number = 0;
  if (!open_request(session, frame.header, 0, number)) return;
  const TaskId task{frame.header.id};
  const auto stored = services_.store.find(task);
  if (!stored) return refuse(session, number, task, Refusal::NoSuchTask);
  const bool own = stored->uid == session.peer.uid && session.may(ipc::Right::Submit);
  if (!own && !session.may(ipc::Right::Read)) {
    return refuse(session, number, task, Refusal::NotYours);
  }
  const bool settled = stored->verdict && !services_.settling.contains(task);
  if (!settled && (frame.header.flags & ipc::flag::kNow) != 0) {
    return refuse(session, number, task, Refusal::NoResult);
  }
  wait_or_answer(session, number, task, stored);
}

void Clients::on_cancel(Session& session, const ipc::Frame& frame) {
  std::uint32_t number = 0;
  if (!open_request(session, frame.header, 0, number)) return;
  const TaskId task{frame.header.id};
  const auto stored = services_.store.find(task);
  if (!stored) return refuse(session, number, task, Refusal::NoSuchTask);
  if (!session.may_touch(ipc::Right::Cancel, stored->uid)) {
    return refuse(session, number, task,
                  session.may(ipc::Right::Cancel) ? Refusal::NotYours : Refusal::NotAllowed);
  }
  if (stored->verdict) return refuse(session, number, task, Refusal::AlreadySettled);
  services_.engine.step(event::Cancel{session.id, id_of(number), task});
}

void Clients::on_request_frame(Session& session, const ipc::Frame& frame) {
  const auto meta = ipc::decode<ipc::RequestMeta>(frame.meta);
  if (!meta && meta.error().code >= 500) {
    return break_off(session, meta.error().code, meta.error().text);
  }
  std::uint32_t number = 0;
  const auto verb = meta ? static_cast<std::uint8_t>(meta->verb) : std::uint8_t{0};
  if (!open_request(session, frame.header, verb, number)) return;
  if (!meta) return refuse(session, number, {}, Refusal::BadArgument, meta.error().text);
  if (!session.may(ipc::find_verb(meta->verb)->right)) {
    return refuse(session, number, {}, Refusal::NotAllowed);
  }
  request(session, frame, *meta, number, {});
}

// Of the task that it is about; none where that is not one task in the store.
Durability Clients::durability_of(const ipc::RequestMeta& meta) const {
  const auto* tasks = std::get_if<std::vector<std::uint64_t>>(&meta.arguments[0]);
  if (tasks == nullptr || tasks->size() != 1) return Durability::None;
  const auto stored = services_.store.find(TaskId{tasks->front()});
  return stored ? stored->durability : Durability::None;
}

void Clients::request(Session& session, const ipc::Frame& frame, const ipc::RequestMeta& meta,
                      std::uint32_t number, std::optional<KeptBody> kept) {
  const auto& payload = frame.payload;
  if (!payload.empty() && meta.verb != ipc::Verb::DeadRetry) {
    return refuse(session, number, {}, Refusal::BadArgument, "this verb takes no payload");
  }
  std::string detail;
  if (const auto fault = intake_.check_payload(payload.size(), detail); fault != Refusal{}) {
    return refuse(session, number, {}, fault, detail);
  }
  Blob none;
  if (!kept && hold(session, frame, number, durability_of(meta), none, 0)) return;
  if (!kept) kept = KeptBody{Blob(payload, frame.memory), {}};
  on_request_(session, number, meta, std::move(*kept));
}

void Clients::on_received(Session& session, const ipc::Frame& frame) {
  const auto tasks = ipc::decode_received(frame.payload);
  if (!tasks) return break_off(session, tasks.error().code, tasks.error().text);
  const bool keys_only = (frame.header.flags & ipc::flag::kKeysOnly) != 0;
  for (const auto id : *tasks) {
    const auto stored = services_.store.find(TaskId{id});
    if (!stored || stored->uid != session.peer.uid) continue;
    services_.engine.step(event::Received{TaskId{id}});
    if (keys_only || services_.settling.contains(TaskId{id})) continue;
    services_.store.received(TaskId{id});
  }
}

}  // namespace warmpool::daemon
