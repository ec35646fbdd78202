// Active checks: asks workers now and then whether they are well, and tells the core what came of
// it. What follows is decided there.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "daemon/helper_process.hpp"
#include "daemon/http_probe.hpp"
#include "daemon/process/process_port.hpp"
#include "daemon/services.hpp"
#include "daemon/worker_places.hpp"
#include "daemon/worker_process.hpp"

namespace warmpool::daemon {

// Bounds: kRunningMax at once; the others wait for their turn. A check that ended while the loop
// itself was late is none.
// Order: forget() before a worker is gone. sweep() is called when due() says so.
// Blocks: never, but for the spawn of a check_command.
class Checks {
 public:
  static constexpr std::size_t kRunningMax = 16;

  // `ping` sends one with this token. `identities` by class, as of Workers.
  using Ping = std::function<void(WorkerProcess&, std::uint64_t token)>;
  Checks(Services& services, ProcessPort& processes, const WorkerPlaces& places,
         const std::vector<std::optional<Identity>>& identities, Ping ping);

  // Begins its check if its time has come.
  void look_if_due(WorkerProcess& worker);
  void pong(WorkerProcess& worker, std::uint64_t token);
  void forget(WorkerId worker);
  void sweep();
  Instant due() const { return due_; }

 private:
  struct Running {
    WorkerProcess* worker = nullptr;  // null: it is gone, or told already
    Instant begun, until;
    std::uint64_t token = 0;
    std::unique_ptr<HelperProcess> program;
    std::unique_ptr<HttpProbe> http;
    bool exited = false;
  };
  struct Verdict {
    bool passed = false;
    std::string text;
  };

  void begin(WorkerProcess& worker);
  void begin_command(WorkerProcess& worker, Running& running);
  void begin_http(WorkerProcess& worker, Running& running);
  SpawnSpec spec_of(const WorkerProcess& worker) const;
  Verdict look_at_process(WorkerProcess& worker) const;
  void on_exit(Running& running);
  void judge(Running& running);
  void tell(Running& running, const Verdict& verdict);
  bool is_over(const Running& running) const;
  void wake() { due_ = services_.engine.now(); }

  Services& services_;
  ProcessPort& processes_;
  const WorkerPlaces& places_;
  const std::vector<std::optional<Identity>>& identities_;
  Ping ping_;
  std::map<std::uint64_t, std::unique_ptr<Running>> running_;  // by a number of its own
  std::uint64_t last_ = 0;
  Instant due_ = kNever;
};

}  // namespace warmpool::daemon
