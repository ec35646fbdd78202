// One object for both threads, and no lock in it: whoever holds the baton calls it. It never waits
// for a handler, so that the watcher answers within one poll.
//
// A payload is copied once, out of the read buffer: the watcher goes on reading while it is used. A
// large one stays where it was received.
#include "worker/session.hpp"

#include <algorithm>

#include "ipc/arena.hpp"
#include "ipc/codec.hpp"
#include "ipc/gauge_name.hpp"

namespace warmpool::worker {
namespace {

using ipc::Channel;
using ipc::Kind;

std::uint16_t micros_of(std::chrono::nanoseconds took) {
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
  return static_cast<std::uint16_t>(std::clamp<std::int64_t>(micros, 0, 65'535));
}

// The text as UTF-8 of at most `bytes_max`: each byte that is none becomes U+FFFD.
std::string repaired(std::string_view text, std::size_t bytes_max) {
  std::string out;
  while (!text.empty()) {
    const std::string_view good = ipc::cut_text(text, bytes_max - out.size());
    out += good;
    text.remove_prefix(good.size());
    // With room for any character it ended before a byte that belongs to none.
    if (text.empty() || bytes_max - out.size() < 4) break;
    out += "\xEF\xBF\xBD";
    text.remove_prefix(1);
  }
  return out;
}

}  // namespace

Session::Session(const Settings& settings, const Handlers& handlers, Channel channel,
                 CancelSignal& cancel)
    : handlers_(handlers),
      cancel_(cancel),
      channel_(std::move(channel)),
      credits_(settings.credits),
      id_(settings.worker),
      registered_(!settings.worker_class.empty()) {}

bool Session::greet(const Settings& settings) {
  const std::uint64_t wanted =
      channel_.features() & (registered_ ? ipc::feature::kOfStranger : ipc::feature::kOfWorker);
  ipc::HelloMeta hello{.role = ipc::Role::Worker,
                       .features = wanted,
                       .name = ipc::cut_text(settings.name, 255),
                       .pid = static_cast<std::uint32_t>(::getpid())};
  if (registered_) {
    hello.worker_class = settings.worker_class;
    hello.types.assign(settings.types.begin(), settings.types.end());
    hello.concurrency = 1;
  }
  encode(hello, scratch_);
  channel_.send({.kind = Kind::Hello,
                 .id = settings.worker,
                 .token = settings.token,
                 .credits = static_cast<std::uint8_t>(credits_)},
                ipc::bytes_of(scratch_));
  features_ = wanted;
  channel_.keep_descriptors((wanted & ipc::feature::kDescriptors) != 0);
  channel_.share_large();
  const auto deadline = Clock::now() + kWelcomeWait;
  while (open() && !welcomed_) {
    ipc::Frame frame;
    const auto state = channel_.receive(frame, deadline);
    if (state == Channel::State::Frame) {
      act_on(frame);
    } else if (state == Channel::State::TimedOut) {
      fail("the daemon sent no welcome within " + std::to_string(kWelcomeWait.count()) + " s");
    } else {
      note(state);
    }
  }
  channel_.keep_descriptors((features_ & ipc::feature::kLarge) != 0);
  drain();
  return open();
}

void Session::exchange() {
  send_stamps();
  note(channel_.pump());
  drain();
}

void Session::write() {
  send_stamps();
  note(channel_.flush(ipc::kAtOnce));
  drain();
}

void Session::write_down() {
  while (open() && channel_.out_bytes() > kOutBytesMax) {
    note(channel_.flush(Clock::now() + std::chrono::milliseconds(100)));
    drain();
  }
}

void Session::finish() {
  send_stamps();
  note(channel_.flush(Clock::now() + kFinishWait));
}

void Session::note(Channel::State state) {
  if (state == Channel::State::Broken) {
    drain();
    fail(channel_.error().text);
  }
  if (state == Channel::State::Closed) {
    drain();
    close();
  }
}

void Session::drain() {
  ipc::Frame frame;
  while (open()) {
    const auto state = channel_.take(frame);
    if (state == Channel::State::Frame) {
      act_on(frame);
    } else if (state == Channel::State::Broken) {
      fail(channel_.error().text);
    } else if (state == Channel::State::Closed) {
      close();
    } else {
      return;
    }
  }
}

void Session::act_on(const ipc::Frame& frame) {
  switch (frame.header.kind) {
    case Kind::Assign:
      return on_assign(frame);
    case Kind::Recall:
      return on_recall(frame);
    case Kind::CancelAttempt:
      return on_cancel(frame);
    case Kind::CheckpointPlease:
      return on_checkpoint_please(frame);
    case Kind::TypeName:
      return on_type_name(frame);
    case Kind::Retire:
      retiring_ = true;
      may_come_again_ = (frame.header.flags & ipc::flag::kComeAgain) != 0;
      return;
    case Kind::Ping:
      return channel_.send({.kind = Kind::Pong, .token = frame.header.token});
    case Kind::Welcome:
      return on_welcome(frame);
    case Kind::Error:
      return on_error(frame);
    default:
      return;  // pong; the channel lets no other kind through
  }
}

void Session::on_welcome(const ipc::Frame& frame) {
  const auto meta = ipc::decode<ipc::WelcomeMeta>(frame.meta);
  if (!meta) return fail(meta.error().text);
  if (meta->version != ipc::kVersion) {
    return fail("the daemon speaks version " + std::to_string(meta->version) +
                " of the protocol, this worker version " + std::to_string(ipc::kVersion) +
                "; update the older side");
  }
  welcomed_ = true;
  if (registered_) id_ = frame.header.id;
  features_ &= meta->features;
  heartbeat_interval_ = std::chrono::nanoseconds(meta->heartbeat_interval.ns);
  // What a result may have at most goes by the frame too, less the meta of an answer.
  result_bytes_max_ = std::min<std::uint64_t>(
      meta->result_bytes_max > 0 ? meta->result_bytes_max : meta->frame_bytes_max,
      meta->frame_bytes_max);
  if ((features_ & ipc::feature::kLarge) != 0) {
    large_bytes_max_ = std::min<std::uint64_t>(meta->large_bytes_max, ipc::kLargeBytesMax);
  }
  channel_.set_rules(ipc::after_hello(channel_.rules(), meta->frame_bytes_max, features_));
  open_page(frame.header);
}

// Without a page beats go by frames, which every daemon takes.
void Session::open_page(const ipc::Header& welcome) {
  if (welcome.descriptors == 0 || (features_ & ipc::feature::kPage) == 0) return;
  const ipc::UniqueFd given = channel_.take_descriptor();
  auto page = ipc::PageWriter::open(given, id_);
  if (page) {
    page_ = std::move(*page);
  } else {
    page_fault_ = page.error().text;
  }
}

void Session::on_error(const ipc::Frame& frame) {
  const auto meta = ipc::decode<ipc::ErrorMeta>(frame.meta);
  if (!meta) return fail(meta.error().text);
  may_come_again_ = meta->code >= 100 && meta->code < 200;
  fail("the daemon says: " + std::string(meta->text) + " (" + std::to_string(meta->code) + ")");
}

void Session::on_type_name(const ipc::Frame& frame) {
  const auto meta = ipc::decode<ipc::TypeNameMeta>(frame.meta);
  if (!meta) return fail(meta.error().text);
  const auto learnt = type_names_.learn(frame.header.type, meta->name);
  if (!learnt) fail(learnt.error().text);
}

void Session::on_assign(const ipc::Frame& frame) {
  const auto meta = ipc::decode<ipc::AssignMeta>(frame.meta);
  if (!meta) return fail(meta.error().text);
  const std::string_view type = type_names_.name_of(frame.header.type);
  if (type.empty()) {
    return fail("assign of type number " + std::to_string(frame.header.type) +
                ", which was never named");
  }
  if (queue_.size() + (running_ != nullptr ? 1 : 0) >= credits_) {
    return fail("assign beyond the credits of hello (" + std::to_string(credits_) + ")");
  }
  auto attempt = queue_.blank();
  auto handler = handlers_.find(type);
  if (handler == handlers_.end()) handler = handlers_.find(kAnyType);
  attempt->key = ipc::key_of(frame.header);
  attempt->handler = handler == handlers_.end() ? nullptr : &handler->second;
  attempt->type = type;
  if (meta->checkpoint_bytes > frame.payload.size()) {
    return fail("assign announces a checkpoint that is longer than its payload");
  }
  const auto payload = frame.payload.first(frame.payload.size() - meta->checkpoint_bytes);
  if (frame.memory && !payload.empty()) {
    attempt->payload.clear();
    attempt->shared = ipc::SharedBytes(payload, frame.memory);
  } else {
    attempt->payload = ipc::text_of(payload);
  }
  attempt->checkpoint = ipc::text_of(frame.payload.subspan(payload.size()));
  attempt->checkpoint_content = meta->checkpoint_content;
  attempt->checkpoint_wanted = false;
  attempt->content = ipc::content_of(frame.header);
  attempt->taken_at = (frame.header.flags & ipc::flag::kStamped) != 0 ? ipc::stamp_now() : 0;
  attempt->timeout = meta->timeout;
  attempt->deadline = meta->deadline_left.ns > 0
                          ? Clock::now() + std::chrono::nanoseconds(meta->deadline_left.ns)
                          : Clock::time_point::max();
  attempt->failures = meta->failures;
  attempt->crashes = meta->crashes;
  attempt->directory = meta->directory;
  if ((frame.header.descriptors | meta->large_bytes) != 0 &&
      !take_large(frame, meta->large_bytes, *attempt)) {
    return queue_.recycle(std::move(attempt));
  }
  queue_.push(std::move(attempt));
}

// Mapped here, before the next frame brings another one. After a restart of the daemon it is a file
// of the daemon's user, which a program of another user could not open by name: that is copied, and
// so is an arena of another user, who could change it while it is read.
bool Session::take_large(const ipc::Frame& frame, std::uint32_t bytes, Attempt& attempt) {
  auto came = channel_.take_announced();
  if (!came) {
    fail("assign announces a descriptor, and none came with it");
    return false;
  }
  const auto opened = open_large(std::move(*came), bytes, attempt);
  if (opened) return true;
  send_failed(ipc::key_of(frame.header),
              failed("the payload of " + std::to_string(bytes) +
                     " bytes cannot be taken: " + opened.error().text),
              0);
  return false;
}

Result<void> Session::open_large(ipc::UniqueFd came, std::uint32_t bytes, Attempt& attempt) {
  if (!came) return Error{0, "this worker has no room for its descriptor"};
  if (ipc::is_own_arena(came.get())) {
    auto mapping = arenas_.map(came.get(), bytes, Clock::now());
    if (!mapping) return mapping.error();
    attempt.large.emplace(std::move(*mapping));
    attempt.descriptor = std::move(came);
    return {};
  }
  auto body = ipc::sealed_or_copied(std::move(came), bytes);
  if (!body) return body.error();
  auto view = ipc::LargeView::of(body->get(), bytes);
  if (!view) return view.error();
  attempt.large.emplace(std::move(*view));
  attempt.descriptor = std::move(*body);
  return {};
}

void Session::on_cancel(const ipc::Frame& frame) {
  const AttemptKey key = ipc::key_of(frame.header);
  if (running_ != nullptr && running_->key == key) return cancel_.raise();
  if (auto attempt = queue_.remove(key)) {
    send_failed(key, failed("cancelled before it started"), 0);
    queue_.recycle(std::move(attempt));
  }
}

void Session::refuse_waiting(std::string_view why) {
  while (!queue_.empty()) {
    auto attempt = queue_.pop();
    send_failed(attempt->key, failed(std::string(why)), 0);
    queue_.recycle(std::move(attempt));
  }
}

void Session::on_recall(const ipc::Frame& frame) {
  const AttemptKey key = ipc::key_of(frame.header);
  auto attempt = queue_.remove(key);
  auto header = ipc::run_header(Kind::Recalled, key);
  if (attempt) {
    header.flags = ipc::flag::kReturned;
    queue_.recycle(std::move(attempt));
  }
  channel_.send(header);
}

void Session::answer(const AttemptKey& key, Answer&& answer, std::chrono::nanoseconds took) {
  const std::uint16_t micros = micros_of(took);
  if (answer.outcome != Outcome::Done) return send_failed(key, answer, micros);
  auto header = ipc::run_header(Kind::Done, key);
  header.flags = ipc::content_flags(answer.content);
  header.type = micros;
  if (answer.body.size() > result_bytes_max_ && answer.body.size() <= large_bytes_max_) {
    return answer_large(key, header, answer.body);
  }
  if (answer.body.size() > result_bytes_max_) {
    const std::string text = "the result has " + std::to_string(answer.body.size()) +
                             " bytes, allowed are " + std::to_string(result_bytes_max_) +
                             ", by descriptor " + std::to_string(large_bytes_max_) +
                             "; return a path instead, or raise result_bytes_max or "
                             "large_bytes_max";
    return send_failed(key, failed_for_good(text), micros);
  }
  channel_.send(header, {}, std::move(answer.body));
}

void Session::stamp(const AttemptKey& key, std::uint64_t taken, std::uint64_t begun,
                    std::uint64_t ended) {
  stamped_.push_back({key, {taken, begun, ended, 0}});
}

// Of the answers that are written next, and in the same write.
void Session::queue_stamps() {
  const auto now = ipc::stamp_now();
  for (auto& [key, stamps] : stamped_) {
    stamps.back() = now;
    channel_.send(ipc::run_header(Kind::Stamps, key), {},
                  ipc::bytes_of(ipc::encode_stamps(stamps)));
  }
  stamped_.clear();
}

void Session::answer_large(const AttemptKey& key, ipc::Header header, const std::string& body) {
  auto sealed = ipc::sealed_copy(ipc::bytes_of(body));
  if (!sealed) {
    return send_failed(key, failed("the result cannot be handed over: " + sealed.error().text),
                       header.type);
  }
  scratch_.clear();
  encode(ipc::DoneMeta{static_cast<std::uint32_t>(body.size())}, scratch_);
  channel_.send(header, ipc::bytes_of(scratch_),
                std::make_shared<const ipc::UniqueFd>(std::move(*sealed)));
}

void Session::send_failed(const AttemptKey& key, const Answer& answer, std::uint16_t micros) {
  const std::int64_t wait_ns =
      std::clamp<std::int64_t>(answer.retry_after.count(), 0, kDurationMax.ns);
  scratch_.clear();
  encode(ipc::FailedMeta{.outcome = answer.outcome, .retry_after = {wait_ns}}, scratch_);
  auto header = ipc::run_header(Kind::Failed, key);
  header.flags = ipc::content_flags(Content::Utf8);
  header.type = micros;
  const auto room = std::min<std::uint64_t>(kErrorBytesMax, result_bytes_max_);
  channel_.send(header, ipc::bytes_of(scratch_), repaired(answer.body, room));
}

void Session::leave() {
  if (!registered_ || leaving_ || !open()) return;
  leaving_ = true;
  if (retiring_) return;
  if ((features_ & ipc::feature::kRegistered) != 0) channel_.send({.kind = Kind::Leave});
}

void Session::progress(const AttemptKey& key, const HeldReport::Report& report) {
  if ((features_ & ipc::feature::kProgress) == 0 || channel_.out_bytes() > kOutBytesMax) return;
  const std::string cut = repaired(report.text, 1024);
  scratch_.clear();
  encode(ipc::ProgressMeta{.permille = report.permille, .text = cut}, scratch_);
  auto header = ipc::run_header(Kind::Progress, key);
  if (!report.partial.empty()) header.flags = ipc::content_flags(report.content);
  channel_.send(header, ipc::bytes_of(scratch_), ipc::bytes_of(report.partial));
}

void Session::report_progress(const HeldReport::Report& report) {
  if (running_ != nullptr) progress(running_->key, report);
}

bool Session::checkpoint(const AttemptKey& key, std::string_view bytes, Content content) {
  if ((features_ & ipc::feature::kCheckpoint) == 0) return false;
  write_down();
  auto header = ipc::run_header(Kind::Checkpoint, key);
  header.flags = ipc::content_flags(content);
  channel_.send(header, {}, ipc::bytes_of(bytes));
  return true;
}

// One that has ended meanwhile has nothing more to say.
void Session::on_checkpoint_please(const ipc::Frame& frame) {
  if (running_ == nullptr || running_->key != ipc::key_of(frame.header)) return;
  running_->checkpoint_wanted.store(true, std::memory_order_relaxed);
}

void Session::report(const WorkerReport& report) {
  if ((features_ & ipc::feature::kReport) == 0 || channel_.out_bytes() > kOutBytesMax) return;
  if (!report.gauge.empty() && !ipc::is_gauge_name(report.gauge)) return;
  const std::string reason = repaired(report.reason, 255);
  std::string gauge(report.gauge);
  gauge += '=';
  if (report.value) gauge += std::to_string(*report.value);
  ipc::ReportMeta meta{.gauges = {}, .reason = reason};
  if (!report.gauge.empty()) meta.gauges.push_back(gauge);
  scratch_.clear();
  encode(meta, scratch_);
  const std::uint8_t flags = report.well ? ipc::flag::kWell : std::uint8_t{0};
  channel_.send({.kind = Kind::Report, .flags = report.degraded ? ipc::flag::kDegraded : flags},
                ipc::bytes_of(scratch_));
}

void Session::begin_run(const Attempt& attempt) {
  running_ = &attempt;
  if (!page_) return;
  page_->gauge(queue_.size(), channel_.out_bytes());
  page_->begin(attempt.key.token);
}

void Session::end_run(std::chrono::nanoseconds took) {
  running_ = nullptr;
  if (page_) page_->end(took.count());
}

void Session::beat(Clock::time_point now) {
  if (!page_) return channel_.send({.kind = Kind::Beat});
  page_->gauge(queue_.size(), channel_.out_bytes());
  page_->beat(now.time_since_epoch().count());
}

// A handler has nobody left to work for.
void Session::close() {
  if (end_ == End::Open) end_ = End::Closed;
  cancel_.raise();
}

void Session::fail(std::string why) {
  if (!open()) return;
  end_ = End::Broken;
  why_ = std::move(why);
  cancel_.raise();
}

}  // namespace warmpool::worker
