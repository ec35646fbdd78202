// The verbs of the frame request: one function each, found by a table.
#pragma once

#include <deque>

#include "daemon/clients.hpp"
#include "daemon/documents.hpp"
#include "daemon/events.hpp"

namespace warmpool::daemon {

// Order: the arguments have the kinds of the verb's row and the client has its right; both were
// checked before. What concerns single tasks is checked here against who submitted them.
class Requests {
 public:
  // `on_stop`: told when a client asks to stop, before the core is.
  Requests(Services& services, Clients& clients, Workers& workers, const Documents& documents,
           Events& events, Alerts& alerts, std::function<void()> on_stop)
      : services_(services),
        clients_(clients),
        workers_(workers),
        documents_(documents),
        events_(events),
        alerts_(alerts),
        on_stop_(std::move(on_stop)) {}

  void run(Session& session, std::uint32_t number, const ipc::RequestMeta& meta, KeptBody payload);
  // The document that ends a verb, when the core has answered all its parts.
  std::string completed(const OpenRequest& open, const command::Completed* completed) const;

  // Goes on with what concerns many tasks, at most `tasks_max` of them, so that no turn is long.
  // Returns whether more is left.
  bool run_bulk(std::size_t tasks_max);
  // Goes on with lists of many tasks, a piece each turn. Returns whether more is left.
  bool run_lists();
  bool have_lists() const { return !lists_.empty(); }
  // When run_bulk() has something to do that it may not do now; kNever if nothing.
  Instant due() const { return bulk_due_; }
  // The backup that was asked for has ended.
  void end_backup(const Result<BackupFigures>& ended);

 private:
  using Arguments = std::array<ipc::Argument, ipc::kArgumentsMax>;
  using Handler = void (Requests::*)(Session&, std::uint32_t number, const Arguments&);
  struct VerbHandler {
    ipc::Verb verb;
    Handler handler;
  };
  static const VerbHandler kVerbs[];

  void status(Session& session, std::uint32_t number, const Arguments& arguments);
  void workers(Session& session, std::uint32_t number, const Arguments& arguments);
  void worker(Session& session, std::uint32_t number, const Arguments& arguments);
  void show(Session& session, std::uint32_t number, const Arguments& arguments);
  void ls(Session& session, std::uint32_t number, const Arguments& arguments);
  void dead_ls(Session& session, std::uint32_t number, const Arguments& arguments);
  void dead_change(Session& session, std::uint32_t number, const Arguments& arguments);
  void scale(Session& session, std::uint32_t number, const Arguments& arguments);
  void drain(Session& session, std::uint32_t number, const Arguments& arguments);
  void stop(Session& session, std::uint32_t number, const Arguments& arguments);
  void pause(Session& session, std::uint32_t number, const Arguments& arguments);
  void breakers(Session& session, std::uint32_t number, const Arguments& arguments);
  void breaker(Session& session, std::uint32_t number, const Arguments& arguments);
  void config(Session& session, std::uint32_t number, const Arguments& arguments);
  void types(Session& session, std::uint32_t number, const Arguments& arguments);
  void release(Session& session, std::uint32_t number, const Arguments& arguments);
  void restart(Session& session, std::uint32_t number, const Arguments& arguments);
  void heartbeat(Session& session, std::uint32_t number, const Arguments& arguments);
  void log(Session& session, std::uint32_t number, const Arguments& arguments);
  void autopsy(Session& session, std::uint32_t number, const Arguments& arguments);
  void events(Session& session, std::uint32_t number, const Arguments& arguments);
  void alerts(Session& session, std::uint32_t number, const Arguments& arguments);
  void alerts_ack(Session& session, std::uint32_t number, const Arguments& arguments);

  struct Bulk {
    ClientId client;
    std::uint32_t number = 0;
    ipc::Verb verb{};
    std::vector<TaskId> tasks;
    std::size_t next = 0;
  };
  struct List {
    ClientId client;
    std::uint32_t number = 0;
    TaskListing listing;
  };
  struct BackupAsked {
    ClientId client;
    std::uint32_t number = 0;
    std::string file;
  };

  // requests_dead.cpp. `rest`: cause, older and text. False after a refusal.
  bool dead_filter(Session& session, std::uint32_t number, const ipc::Argument& type,
                   std::span<const ipc::Argument, 3> rest, TaskFilter& filter);
  void retry_with(Session& session, std::uint32_t number, const Arguments& arguments,
                  KeptBody payload);
  void clean(Session& session, std::uint32_t number, const Arguments& arguments);
  void backup(Session& session, std::uint32_t number, const Arguments& arguments);
  void begin_bulk(Session& session, Bulk bulk);
  bool take_retry();
  bool is_on_its_way(TaskId task);
  void change_one(Session& session, const Bulk& bulk, TaskId task);

  void reply_list(Session& session, std::uint32_t number, TaskListing& listing);
  static TaskFilter page_of(const ipc::Argument& limit, const ipc::Argument& after);
  void resume_all(Session& session, std::uint32_t number);
  std::optional<TypeId> seen_type(std::string_view name);
  std::optional<ClassId> find_class(std::string_view name) const;
  void refuse_type(Session& session, std::uint32_t number, std::string_view name);
  void refuse_class(Session& session, std::uint32_t number);
  void refuse_slot(Session& session, std::uint32_t number, std::string_view name);
  // False after a refusal: there is no such type.
  bool type_argument(Session& session, std::uint32_t number, const ipc::Argument& argument,
                     std::optional<TypeId>& type);

  Services& services_;
  Clients& clients_;
  Workers& workers_;
  const Documents& documents_;
  Events& events_;
  Alerts& alerts_;
  std::function<void()> on_stop_;
  std::deque<Bulk> bulk_;
  std::deque<List> lists_;
  Instant bulk_due_ = kNever;
  Instant retried_until_;  // at the rate of new rounds
  BackupAsked backup_;
};

}  // namespace warmpool::daemon
