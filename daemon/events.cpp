// A subscriber is a place in the ring, not a queue of its own: one that stands still costs nothing,
// and what it missed is the distance that the ring went on without it. Events of single tasks are
// made only while somebody wants them: at 100,000 tasks a second they would be the load.
#include "daemon/events.hpp"

#include <algorithm>

#include "daemon/json.hpp"
#include "daemon/small_document.hpp"

namespace warmpool::daemon {
namespace {

// Of one subscriber in one turn, so that no turn is long.
constexpr int kEventsOfTurnMax = 4'096;

const NoticeSet& flow_set() {
  static const NoticeSet set = [] {
    NoticeSet flow;
    for (const auto& row : kNoticeRows) {
      flow.set(static_cast<std::size_t>(row.notice), is_flow(row.notice));
    }
    return flow;
  }();
  return set;
}

}  // namespace

Events::Events(Services& services, Clients& clients, const Notices& notices, std::uint64_t life)
    : services_(services),
      clients_(clients),
      notices_(notices),
      last_(life << 40),
      life_first_(last_ + 1) {
  listen();
}

const std::string& Events::time_text(Instant now) {
  if (time_text_.empty() || now != timed_) {
    timed_ = now;
    time_text_ = rfc3339(services_.engine.clock().wall_of(now));
  }
  return time_text_;
}

void Events::add(const Notification& notification) {
  const auto most = services_.options().events_max;
  ++last_;
  if (most > 0) {
    auto& entry = ring_.emplace_back();
    entry.notice = notification.notice;
    entry.document = "{\"number\":" + std::to_string(last_) + ",\"time\":\"" +
                     time_text(services_.engine.now()) + "\",\"event\":\"";
    entry.document += kNoticeRows[static_cast<std::size_t>(notification.notice)].name;
    entry.document += '"';
    notices_.append_members(notification, entry.document);
    entry.document += '}';
  }
  while (ring_.size() > most) ring_.pop_front();
}

void Events::subscribe(Session& session, std::uint32_t request, bool follow,
                       std::optional<std::uint64_t> after, const NoticeSet& types) {
  Subscription subscription{session.id, request, types, last_ + 1, follow ? 0 : last_};
  if (after) {
    subscription.next = *after + 1;
  } else if (!follow) {
    subscription.next = first();
  }
  // A number that was never given is of another store: nothing can be told of what was missed.
  if (subscription.next > last_ + 1) subscription.next = first();
  subscriptions_.push_back(subscription);
  listen();
}

bool Events::pump() {
  bool more = false;
  std::erase_if(subscriptions_, [&](Subscription& subscription) {
    auto* session = clients_.find(subscription.client);
    if (session == nullptr) return true;
    const auto pumped = pump(*session, subscription);
    more = more || pumped == Pumped::More;
    return pumped == Pumped::Ended;
  });
  listen();
  return more;
}

std::uint64_t Events::waiting() const {
  std::uint64_t most = 0;
  for (const auto& subscription : subscriptions_) {
    const auto got = std::max(subscription.next, life_first_) - 1;
    most = std::max(most, last_ - std::min(last_, got));
  }
  return most;
}

Events::Pumped Events::pump(Session& session, Subscription& subscription) {
  const auto unread_max =
      std::min<std::uint64_t>(kUnreadBytesMax, services_.options().output_bytes_max / 2);
  for (int sent = 0; sent < kEventsOfTurnMax;) {
    if (session.stream.out().bytes() > unread_max) return Pumped::Waits;
    if (subscription.next < first()) send_gap(session, subscription);
    const auto end_at = subscription.until == 0 ? last_ : subscription.until;
    if (subscription.next > end_at) {
      if (subscription.until == 0) return Pumped::All;
      end(session, subscription);
      return Pumped::Ended;
    }
    const auto& entry = ring_[subscription.next - first()];
    if (subscription.types.test(static_cast<std::size_t>(entry.notice))) {
      clients_.event(session, subscription.request, subscription.next, 0, entry.document);
      ++sent;
    }
    ++subscription.next;
  }
  return Pumped::More;
}

// Of what an earlier life of the daemon told, nobody knows how much it was.
void Events::send_gap(Session& session, Subscription& subscription) {
  const bool counted = subscription.next >= life_first_;
  const auto last_missed = first() - 1;
  Json gap{{"number", last_missed},
           {"time", time_text(services_.engine.now())},
           {"event", "gap"},
           {"missed", counted ? Json(first() - subscription.next) : Json()}};
  clients_.event(session, subscription.request, last_missed, ipc::flag::kGap, text_of(gap));
  subscription.next = first();
}

void Events::end(Session& session, const Subscription& subscription) {
  clients_.reply(session, subscription.request, small_document({{"last", subscription.until}}));
}

// The debug log has a line for each task as well.
void Events::listen() {
  const bool wanted = services_.log.enabled(LogLevel::Debug) ||
                      std::ranges::any_of(subscriptions_, [](const Subscription& subscription) {
                        return subscription.until == 0 && (subscription.types & flow_set()).any();
                      });
  if (wanted == listening_) return;
  listening_ = wanted;
  services_.engine.step(event::Listen{wanted});
}

}  // namespace warmpool::daemon
