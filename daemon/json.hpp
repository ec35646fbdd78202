// Helpers for documents. Only sources of documents include it: the library costs build time.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "daemon/clock.hpp"
#include "daemon/small_document.hpp"

namespace warmpool::daemon {

using Json = nlohmann::ordered_json;

inline double seconds_of(Duration duration) { return static_cast<double>(duration.ns) / 1e9; }
inline double milliseconds_of(Duration duration) { return static_cast<double>(duration.ns) / 1e6; }
inline Json time_of(const Clock& clock, Instant instant) {
  return instant.ns == 0 ? Json() : Json(rfc3339(clock.wall_of(instant)));
}
// Four digits: a rate is read, not reckoned with.
inline double rate_of(double part, double whole) {
  if (whole <= 0) return 0;
  const double rate = part / whole;
  return static_cast<double>(static_cast<long long>(rate * 10'000 + 0.5)) / 10'000;
}
// What is not UTF-8 is replaced, never a reason to fail.
inline std::string text_of(const Json& document) {
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace warmpool::daemon
