// Which things that happen to the pool are alerts: each death of a worker, and too many of one kind
// within a time.
#pragma once

#include <deque>
#include <functional>
#include <map>

#include "daemon/alerts/alert_book.hpp"
#include "daemon/services.hpp"
#include "daemon/workers.hpp"
#include "pool/notification.hpp"

namespace warmpool::daemon {

// Bounds: as many dates are kept as the options need to be reached.
class Occurrences {
 public:
  Occurrences(const Services& services, const Workers& workers)
      : services_(services), workers_(workers) {}

  // Order: while the worker that it is about is still known.
  std::vector<Sighting> seen_in(const Notification& notification);

 private:
  Sighting failure(const Notification& notification) const;
  Sighting zombie(const Notification& notification) const;
  Sighting memory(const Notification& notification) const;
  // Whether there are now more than `most` within `within`.
  static bool too_many(std::deque<Instant>& dates, Instant now, std::uint64_t most,
                       Duration within);

  const Services& services_;
  const Workers& workers_;
  std::map<ClassId, std::deque<Instant>> deaths_;
  std::deque<Instant> dead_letters_;
};

}  // namespace warmpool::daemon
