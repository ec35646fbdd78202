// What the daemon says, one function for each kind of frame. A frame about a ticket that is not
// open any more (its caller gave up, or it comes twice) is dropped: late answers are normal.
#include "client/session.hpp"
#include "ipc/codec.hpp"

namespace warmpool::client {

using ipc::Frame;
using ipc::Kind;

bool Session::take_frames() {
  Frame frame;
  while (link_) {
    switch (link_->channel().take(frame)) {
      case ipc::Channel::State::Frame:
        // The link may be gone after it: then all is arranged, and the caller has nothing to do.
        if (!on_frame(frame)) return true;
        break;
      case ipc::Channel::State::Closed:
      case ipc::Channel::State::Broken:
        return false;
      case ipc::Channel::State::Idle:
      case ipc::Channel::State::TimedOut:
        return true;
    }
  }
  return true;
}

bool Session::on_frame(const Frame& frame) {
  if (frame.header.kind == Kind::Welcome) return on_welcome(frame);
  if (frame.header.kind == Kind::Error) return on_error(frame);
  answered_ = moved_ = true;
  switch (frame.header.kind) {
    case Kind::Accepted:
      return on_accepted(frame);
    case Kind::Refused:
      return on_refused(frame);
    case Kind::Settled:
      return on_settled(frame);
    case Kind::Progressed:
      return on_progressed(frame);
    case Kind::Cancelled:
      return on_cancelled(frame);
    case Kind::Event:
      return on_event(frame);
    case Kind::Stamps:
      return on_stamps(frame);
    case Kind::Reply:
      on_answer(frame, std::string(ipc::text_of(frame.payload)));
      return true;
    case Kind::Pong:
      on_answer(frame, {});
      return true;
    case Kind::Ping:
      link_->pong(frame.header.token);
      return true;
    default:
      return true;  // type-name: the daemon names types only to workers
  }
}

Session::Open::iterator Session::find(const Frame& frame) { return open_.find(frame.header.token); }

bool Session::broken(const Error& error) {
  die({static_cast<int>(Fault::Protocol), "what answers at " + address_.path +
                                              " breaks the protocol (" + error.text +
                                              "); is it warmpoold, and as new as this program?"});
  return false;
}

bool Session::on_welcome(const Frame& frame) {
  if (link_->greeted()) return broken({0, "a second welcome"});
  if (auto greeted = link_->greet(frame); !greeted) return broken(greeted.error());
  greeted_once_ = true;
  greeted_at_ = std::chrono::steady_clock::now();
  daemon_ = {link_->server(), link_->payload_bytes_max(), link_->in_flight_max(),
             link_->result_bytes_max(), link_->large_bytes_max()};
  send_all_unsent();
  return true;
}

// 1xx and too-slow say nothing against another try; the rest would be answered the same again.
bool Session::on_error(const Frame& frame) {
  const auto meta = ipc::decode<ipc::ErrorMeta>(frame.meta);
  if (!meta) return broken(meta.error());
  Error error{static_cast<int>(meta->code),
              "the daemon ended the connection: " + std::string(meta->text)};
  const bool again = meta->code < 200 || meta->code == static_cast<int>(Refusal::TooSlow);
  if (again) {
    lose(std::move(error));
  } else {
    die(std::move(error));
  }
  return false;
}

bool Session::on_accepted(const Frame& frame) {
  const auto found = find(frame);
  if (found == open_.end() || found->second.kind != OpenRequest::Kind::Submit) return true;
  OpenRequest& request = found->second;
  const TaskId task{frame.header.id};
  const auto has = [&](std::uint8_t flag) { return (frame.header.flags & flag) != 0; };
  const auto durability = has(ipc::flag::kMemoryOnly) ? Durability::None
                          : has(ipc::flag::kRelaxed)  ? Durability::Relaxed
                                                      : Durability::Full;
  // After a reconnect the second acceptance of the same task is no news.
  const bool news = request.task != task;
  request.task = task;
  const Accepted accepted{Ticket{found->first}, task, has(ipc::flag::kDuplicate), durability};
  if (news && request.wait) events_.push_back(accepted);
  if (news && !request.wait) push_last(accepted);
  if (request.wait) return true;
  if (request.drop_key) drops_.emplace(found->first, Drop::Key);
  open_.erase(found);
  return true;
}

bool Session::on_refused(const Frame& frame) {
  const auto found = find(frame);
  if (found == open_.end()) return true;
  const auto meta = ipc::decode<ipc::RefusedMeta>(frame.meta);
  if (!meta) return broken(meta.error());
  const auto kind = found->second.kind;
  if (kind == OpenRequest::Kind::Request || kind == OpenRequest::Kind::Ping) {
    answers_.emplace(found->first, Error{static_cast<int>(meta->code), std::string(meta->text)});
  } else {
    push_last(Refused{Ticket{found->first}, found->second.task, meta->code, std::string(meta->text),
                      meta->retry_after});
  }
  open_.erase(found);
  return true;
}

// The daemon cancelled it because a connection was lost; but here we are and want it done.
bool Session::resubmit_dropped(std::uint64_t ticket, OpenRequest& request,
                               const ipc::SettledMeta& meta) {
  const bool dropped = meta.verdict == Verdict::Cancelled && meta.cause == EndCause::Dropped;
  if (!dropped || request.kind != OpenRequest::Kind::Submit || !request.repeatable) return false;
  request.arena = {};  // two tasks have it now
  send(ticket, request);
  return true;
}

// In one attempt, whose handler has returned: of an earlier one something may still be there that
// reads it, and what is dead is kept for a retry.
void Session::take_back(OpenRequest& request, const ipc::Header& header,
                        const ipc::SettledMeta& meta) {
  const bool at_once = header.round == 1 && header.attempt == 1 && meta.verdict == Verdict::Done;
  if (at_once) arenas_.take_back(std::move(request.arena));
}

bool Session::on_settled(const Frame& frame) {
  // Also where nobody waits any more: the next one is another frame's.
  const auto came =
      frame.header.descriptors != 0 ? link_->channel().take_descriptor() : ipc::UniqueFd();
  const auto found = find(frame);
  if (found == open_.end()) return true;
  const auto kind = found->second.kind;
  if (kind != OpenRequest::Kind::Submit && kind != OpenRequest::Kind::Await) return true;
  const auto meta = ipc::decode<ipc::SettledMeta>(frame.meta);
  if (!meta) return broken(meta.error());
  if (resubmit_dropped(found->first, found->second, *meta)) return true;
  if (stamps_) stamps_->came(Ticket{found->first});
  const auto& header = frame.header;
  std::shared_ptr<const ipc::LargeView> large;
  if (header.descriptors != 0) {
    auto view = came ? ipc::LargeView::of(came.get(), meta->large_bytes)
                     : Result<ipc::LargeView>(Error{0, "there is no room for its descriptor"});
    if (!view) {
      push_last(Refused{.ticket = Ticket{found->first},
                        .task = TaskId{header.id},
                        .code = static_cast<std::uint16_t>(Refusal::ByDescriptorOnly),
                        .text = "the task is done; its result came as a descriptor and cannot be "
                                "taken here (" +
                                view.error().text +
                                "); it stays, fetch it again with: warmpool result " +
                                std::to_string(header.id)});
      open_.erase(found);
      return true;
    }
    large = std::make_shared<const ipc::LargeView>(std::move(*view));
  }
  take_back(found->second, header, *meta);
  if (found->second.drop_result) {
    drops_.emplace(found->first, Drop::Result);
  } else if (found->second.drop_key) {
    drops_.emplace(found->first, Drop::Key);
  }
  push_last(Settled{.ticket = Ticket{found->first},
                    .task = TaskId{header.id},
                    .round = header.round,
                    .attempt = header.attempt,
                    .verdict = meta->verdict,
                    .cause = meta->cause,
                    .failures = meta->charged_failures,
                    .crashes = meta->charged_crashes,
                    .content = ipc::content_of(header),
                    .result = std::string(ipc::text_of(frame.payload)),
                    .large = std::move(large)});
  open_.erase(found);
  return true;
}

bool Session::on_progressed(const Frame& frame) {
  const auto found = find(frame);
  if (found == open_.end()) return true;
  const auto meta = ipc::decode<ipc::ProgressMeta>(frame.meta);
  if (!meta) return broken(meta.error());
  events_.push_back(Progressed{Ticket{found->first}, TaskId{frame.header.id}, frame.header.round,
                               frame.header.attempt, meta->permille, std::string(meta->text),
                               std::string(ipc::text_of(frame.payload)),
                               ipc::content_of(frame.header)});
  return true;
}

bool Session::on_cancelled(const Frame& frame) {
  const auto found = find(frame);
  if (found == open_.end() || found->second.kind != OpenRequest::Kind::Cancel) return true;
  const auto meta = ipc::decode<ipc::CancelledMeta>(frame.meta);
  if (!meta) return broken(meta.error());
  push_last(Cancelled{Ticket{found->first}, TaskId{frame.header.id}, meta->rung, meta->state,
                      (frame.header.flags & ipc::flag::kMemoryOnly) == 0});
  open_.erase(found);
  return true;
}

bool Session::on_event(const Frame& frame) {
  const auto found = find(frame);
  if (found == open_.end() || found->second.kind != OpenRequest::Kind::Events) return true;
  found->second.events->after = frame.header.id;
  events_.push_back(Happened{.ticket = Ticket{found->first},
                             .number = frame.header.id,
                             .gap = (frame.header.flags & ipc::flag::kGap) != 0,
                             .document = std::string(ipc::text_of(frame.payload))});
  return true;
}

bool Session::on_stamps(const Frame& frame) {
  ipc::PathStamps path;
  if (!ipc::decode_stamps(frame.payload, path)) return broken({0, "stamps that are too few"});
  if (stamps_) stamps_->told(Ticket{frame.header.token}, path);
  return true;
}

void Session::on_answer(const Frame& frame, std::string text) {
  const auto found = find(frame);
  if (found == open_.end()) return;
  const auto kind = found->second.kind;
  if (kind == OpenRequest::Kind::Events) {
    push_last(HappenedAll{Ticket{found->first}});
    open_.erase(found);
    return;
  }
  if (kind != OpenRequest::Kind::Request && kind != OpenRequest::Kind::Ping) return;
  answers_.emplace(found->first, std::move(text));
  open_.erase(found);
}

}  // namespace warmpool::client
