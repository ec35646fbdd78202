// What happened, for whoever asks: the last events by number, and those who listen to new ones.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "daemon/clients.hpp"
#include "daemon/notices.hpp"
#include "pool/notice_set.hpp"

namespace warmpool::daemon {

// What a client asked for.
struct Subscription {
  ClientId client;
  std::uint32_t request = 0;  // number of the client's open request
  NoticeSet types;
  std::uint64_t next = 0;   // number of the first event that it has not got
  std::uint64_t until = 0;  // the last one that it wants; 0: all that will come
};

// Numbers are the life's number << 40 | counter, so that they rise over restarts of the daemon.
// Bounds: events_max events are kept; a subscriber that does not read is sent nothing beyond
// kUnreadBytesMax and is told how many it missed when it reads again.
// Order: add() at any time, pump() when a turn's commands were carried out.
class Events {
 public:
  Events(Services& services, Clients& clients, const Notices& notices, std::uint64_t life);

  void add(const Notification& notification);
  // `after`: only events above this number; none: with `follow` only those to come, else all.
  void subscribe(Session& session, std::uint32_t request, bool follow,
                 std::optional<std::uint64_t> after, const NoticeSet& types);
  // Sends what subscribers have not got. Returns whether more could be sent in the next turn.
  bool pump();

  std::uint64_t last_number() const { return last_; }
  std::size_t followers() const { return subscriptions_.size(); }
  // Events that the slowest subscriber has not been sent.
  std::uint64_t waiting() const;

  static constexpr std::size_t kUnreadBytesMax = 1U << 20;

 private:
  struct Entry {
    Notice notice;
    std::string document;
  };
  enum class Pumped : std::uint8_t { All, Waits, More, Ended };

  std::uint64_t first() const { return last_ + 1 - ring_.size(); }
  Pumped pump(Session& session, Subscription& subscription);
  void send_gap(Session& session, Subscription& subscription);
  void end(Session& session, const Subscription& subscription);
  void listen();
  const std::string& time_text(Instant now);

  Services& services_;
  Clients& clients_;
  const Notices& notices_;
  std::uint64_t last_;  // number of the newest event
  std::uint64_t life_first_;
  std::deque<Entry> ring_;  // up to last_, without a hole
  std::vector<Subscription> subscriptions_;
  bool listening_ = true;  // to single tasks, as the core was told
  Instant timed_;
  std::string time_text_;  // of timed_
};

}  // namespace warmpool::daemon
