// The JSON documents that verbs are answered with. Names and their order are stable; "schema" grows
// when one changes its meaning. Members that end in _ms, _seconds, _bytes have that unit; a rate is
// from 0 to 1; times are RFC 3339 in UTC.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/alerts/alerts.hpp"
#include "daemon/archive.hpp"
#include "daemon/clients.hpp"
#include "daemon/events.hpp"
#include "daemon/outlived.hpp"
#include "daemon/submit/submit_fifo.hpp"
#include "daemon/workers.hpp"

namespace warmpool::daemon {

// How the loop fares.
struct LoopFigures {
  std::uint64_t turns = 0, handlers = 0;
  Duration busy_time;            // outside of waiting
  Duration turn_max, turn_last;  // from the wake-up to the end
  Duration late_max;             // beyond the deadline that was asked for
};

// What a list of tasks is narrowed to.
struct TaskFilter {
  std::optional<TaskState> state;
  std::optional<TypeId> type;
  // Of dead letters.
  std::optional<EndCause> cause;
  Duration older;         // since it died
  std::string_view text;  // in its error, key or labels
  std::uint32_t limit = 100;
  TaskId after;
};

// The ids of a list of tasks, found in pieces: live ones in the core, finished ones in the store.
class TaskListing {
 public:
  // Bounds: a list has at most kLimitMax rows.
  static constexpr std::uint32_t kLimitMax = 10'000;

  explicit TaskListing(const TaskFilter& filter);
  // Goes on over at most `places` of each. Returns whether it is through.
  bool advance(const Services& services, std::uint32_t places);
  // Ascending; one more than the limit where there are more. Order: when it is through, once.
  std::vector<TaskId> ids();
  const TaskFilter& filter() const { return filter_; }

 private:
  TaskFilter filter_;
  std::optional<TaskScan> live_;  // until it is through
  std::optional<FinishedScan> finished_;
  std::vector<TaskId> found_;
};

// Which lines of output: the last `lines`, or those with a number above `after`, at most `lines`.
struct LogWish {
  std::size_t lines = 20;
  std::optional<std::uint64_t> after;
};

class Documents {
 public:
  // `started`: when this life began. `place`: the socket, for people.
  Documents(Services& services, const Clients& clients, const Workers& workers,
            const Events& events, Alerts& alerts, const LoopFigures& loop, std::string socket_path);

  // documents_status.cpp
  std::string status() const;
  // As status() does by itself.
  void look_for_alerts() const;
  void set_socket_lost(bool lost) { socket_lost_ = lost; }
  void show_archive(const Archive& archive) { archive_ = &archive; }
  void show_outlived(const Outlived& outlived) { outlived_ = &outlived; }
  void show_submit_fifo(const SubmitFifo* fifo) { submit_fifo_ = fifo; }
  void set_initialized(bool initialized) { initialized_ = initialized; }
  bool initialized() const { return initialized_; }
  bool socket_lost() const { return socket_lost_; }

  // documents_workers.cpp
  std::string workers() const;
  // None: no such slot. `sizes`: of its directories, by path, where they are asked for.
  using DirectorySizes = std::map<std::string, Result<std::uint64_t>>;
  std::optional<std::string> worker(std::string_view slot_name,
                                    const DirectorySizes* sizes = nullptr) const;
  // That were made for it and for what it has in hand.
  std::vector<std::string> directories_of(std::string_view slot_name) const;
  // Its last output, oldest first. None: no such slot.
  std::optional<std::string> worker_log(std::string_view slot_name, const LogWish& wish) const;
  std::optional<std::string> task_log(TaskId task,
                                      const LogWish& wish) const;  // none: no such task
  std::string types() const;
  std::string pauses() const;  // what is paused now

  // documents_breakers.cpp
  std::string breakers() const;
  // What a drain or a stop leaves, and how much of it waits for breakers.
  std::string left(std::uint64_t left) const;

  // documents_tasks.cpp
  std::optional<std::string> show(TaskId task) const;  // none: no such task
  // One row for each, in this order; at most as many as the filter's limit, and whether there are
  // more.
  std::string tasks(const TaskFilter& filter, std::vector<TaskId> ids) const;

  // documents_dead.cpp
  // All above `after` that fit, by id, whatever the limit. Cost: one pass over the core's tasks.
  std::vector<TaskId> dead_letters(const TaskFilter& filter) const;
  // Dead letters with their whole payloads. Bounds: stops at 8 MiB.
  std::string letters(const TaskFilter& filter) const;
  // One such, for the archive. None: no such task.
  std::optional<ArchiveLetter> letter(const command::Archive& asked) const;
  // How many of many were changed, called `done`, and the first of those that were refused.
  static std::string changed(std::string_view done, const OpenRequest& open);
  std::string backup(std::string_view file, const BackupFigures& figures) const;

  // documents_alerts.cpp. `past`: with those that are resolved.
  std::string alerts(bool past) const;
  // documents_autopsy.cpp
  // Of the last attempts that ended badly; none: no such task.
  std::optional<std::string> autopsies(TaskId task) const;
  // Of the last processes; none: no such slot.
  std::optional<std::string> autopsies(std::string_view slot_name) const;

  // documents_config.cpp
  std::string config() const;

 private:
  Surroundings surroundings(const Snapshot& snapshot) const;

  Services& services_;
  const Clients& clients_;
  const Workers& workers_;
  const Events& events_;
  Alerts& alerts_;
  const LoopFigures& loop_;
  const Archive* archive_ = nullptr;
  const Outlived* outlived_ = nullptr;
  const SubmitFifo* submit_fifo_ = nullptr;
  std::string socket_path_;
  Instant started_;
  bool socket_lost_ = false, initialized_ = false;
};

}  // namespace warmpool::daemon
