// Starts that wait for the directory of their place, and attempts that wait for their own.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "daemon/directory/directories.hpp"
#include "daemon/templates.hpp"
#include "daemon/worker_process.hpp"

namespace warmpool::daemon {

// Order: an attempt is given to its worker in its turn, so a directory that is not ready holds back
//   those that were assigned to this worker after it, and nobody else.
class WorkerDirectories {
 public:
  struct Hands {
    std::function<SpawnSpec(ClassId)> spec_of;
    std::function<std::string(const WorkerProcess&)> name_of;
    std::function<void(Wanted)> launch;
    std::function<void(const Wanted&, const Error&)> fail;
    std::function<WorkerProcess*(WorkerId)> find;  // null: nothing can be given to it any more
    std::function<void(WorkerProcess&, InHand&, const command::Assign&, std::string_view directory)>
        give;
    // It was not given, and has failed. It is in hand no more.
    std::function<void(WorkerProcess&, const AttemptKey&, const std::string& text)> answer;
  };
  WorkerDirectories(Services& services, ProcessPort& processes, Hands hands);

  // `former`: the place that was given up for its own; empty: none. False: it waits for no
  // directory.
  bool start(Wanted& wanted, const std::string& former);
  // A start that is not wanted any more. False: it does not wait here.
  bool end(WorkerId worker);

  // It is given when its directory is ready, or fails.
  void begin(WorkerProcess& worker, InHand& held, const command::Assign& command);
  // It is to end. False: its worker has it.
  bool cancel(WorkerProcess& worker, const AttemptKey& key);
  bool is_given(const WorkerProcess& worker, const AttemptKey& key) const;
  // After it was taken out of the hand.
  void go_on(WorkerProcess& worker) { give_ready(worker); }
  // Its worker is done with it.
  void release(InHand& held);

  Directories& directories() { return directories_; }
  const Directories& directories() const { return directories_; }
  void sweep() { directories_.sweep(); }
  Instant due() const { return directories_.due(); }

 private:
  void made(WorkerId id, const AttemptKey& key, const Result<std::string>& path);
  void give_ready(WorkerProcess& worker);
  void fail(WorkerProcess& worker, const AttemptKey& key, const std::string& text);

  Services& services_;
  Hands hands_;
  std::map<std::uint64_t, Wanted> starts_;  // that wait, by worker
  Directories directories_;
};

}  // namespace warmpool::daemon
