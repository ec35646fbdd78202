// Options of health that only make sense together.
#include "pool/health.hpp"
#include "pool/local_url.hpp"

namespace warmpool {

Result<void> check_health(const ClassOptions& options) {
  const auto pair = [](std::string_view name, std::uint64_t value) {
    return std::string(name) + " (" + std::to_string(value) + ")";
  };
  const std::uint64_t degraded = options.health_degraded, unhealthy = options.health_unhealthy;
  if (options.health_liveness + options.health_activity + options.health_errors +
          options.health_resources + options.health_velocity ==
      0) {
    return Error{0,
                 "the weights of its score (health_liveness ...) are all 0; give one a weight, "
                 "or set health_degraded and health_unhealthy to 0"};
  }
  if (degraded != 0 && unhealthy != 0 && unhealthy >= degraded) {
    return Error{0, pair("health_unhealthy", unhealthy) + " must be below " +
                        pair("health_degraded", degraded)};
  }
  if (std::max(degraded, unhealthy) + options.health_hysteresis > 1000) {
    return Error{0, pair("health_degraded", degraded) + " and " +
                        pair("health_hysteresis", options.health_hysteresis) +
                        " are more than 1000 together: no worker could be healthy again"};
  }
  if (options.check == "command" && options.check_command.empty()) {
    return Error{0, "check = command needs a check_command, such as [\"/srv/check\", \"-q\"]"};
  }
  if (options.check == "http" && !is_local_url(options.check_url)) {
    return Error{0,
                 "check = http needs a check_url on this machine, such as "
                 "http://127.0.0.1:8080/health (not '" +
                     options.check_url + "')"};
  }
  return {};
}

}  // namespace warmpool
