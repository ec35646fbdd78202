// Template processes of classes with `preload`: each loads its modules once and forks the workers
// of its class, so that a worker is there in milliseconds and shares the pages of what was loaded.
//
// Nothing depends on one: where there is no template, or it fails, workers start without it, and no
// slot is charged for that.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/helper_process.hpp"
#include "daemon/process/process_port.hpp"
#include "daemon/services.hpp"
#include "ipc/template_frames.hpp"

namespace warmpool::daemon {

// A worker that the core waits for.
struct Wanted {
  command::Spawn command;
  SpawnSpec spec;
  Instant since;          // when its start was begun
  bool prepares = false;  // the core was told so
};

// Resting: tried again later. Unfit: not before the next generation.
enum class TemplateState : std::uint8_t { None, Starting, Ready, Resting, Unfit };
std::string_view text_of(TemplateState state);

// What people see of a class's template.
struct TemplateView {
  TemplateState state = TemplateState::None;
  std::uint32_t generation = 0;
  pid_t pid = 0;             // 0: none
  Duration start;            // that the last one took to load
  std::string reason;        // of Resting and Unfit
  std::uint64_t forked = 0;  // workers that became ready, in this life of the daemon,
  Duration fork_time;        // in all this time,
  Duration saved;            // which would have been so much more
};

class Templates {
 public:
  struct Handlers {
    std::function<SpawnSpec(ClassId)> spec_of_template;
    std::function<void(Wanted, Child, std::uint32_t generation)> started;
    std::function<void(Wanted)> plain;                        // is to start without a template
    std::function<void(Wanted, std::optional<Error>)> ended;  // cannot start; none: was told to end
  };
  Templates(Services& services, ProcessPort& processes, Handlers handlers);
  ~Templates();

  // False: it is to start without. Else one of the handlers is called, now or later.
  bool take(Wanted& wanted);
  // A worker that was taken is to end. False: it is none, or has started.
  bool end(WorkerId worker);
  // Workers that start from now on find what is on the disk now.
  void renew(ClassId worker_class);
  void renew_all();

  void sweep();  // deadlines
  Instant due() const { return due_; }
  void bury();  // at the end of a turn

  // A worker that was forked has said hello after so long.
  void note_ready(ClassId worker_class, Duration took);
  const TemplateView* find(ClassId worker_class) const;  // null: none was ever asked for

 private:
  struct Making {
    Wanted wanted;
    Child child;
    ipc::UniqueFd pidfd{};
    bool doomed = false;  // is to end as soon as it is there
  };
  struct OfClass {
    ClassId id;
    TemplateView view;
    std::unique_ptr<HelperProcess> process;
    std::deque<Wanted> waiting;
    std::optional<Making> making;
    Instant started_at, deadline = kNever;
    std::uint64_t failures = 0;
  };
  // A template's channel ends a moment before its exit is told, which says more.
  static constexpr Duration kExitGrace = milliseconds(100);
  // An answer takes milliseconds. Who is given up wrongly, on a machine that is too busy, costs one
  // start without template.
  static constexpr Duration kPatience = seconds(5);

  const ClassOptions& options_of(const OfClass& of) const;
  Duration patience() const;
  std::string title_of(const OfClass& of) const;
  void start(OfClass& of);
  void watch(OfClass& of);
  void read(OfClass& of);
  void take_answer(OfClass& of, const ipc::TemplateAnswer& answer, ipc::UniqueFd fd);
  bool is_awaited(const OfClass& of, const ipc::TemplateAnswer& answer) const;
  void on_ready(OfClass& of, const ipc::TemplateAnswer& answer);
  void on_done(OfClass& of);
  void on_failed(OfClass& of, const ipc::TemplateAnswer& answer);
  void pump(OfClass& of);
  bool send(OfClass& of, const ForkOrder& order);
  void fail(OfClass& of, const std::string& why, TemplateState next = TemplateState::Resting);
  void retire(OfClass& of);
  void give_up(OfClass& of);
  void on_exit(HelperProcess& process);
  OfClass* owner_of(const HelperProcess& process);
  void look_at(Instant deadline);

  Services& services_;
  ProcessPort& processes_;
  Handlers handlers_;
  std::map<std::uint16_t, OfClass> classes_;
  std::vector<std::unique_ptr<HelperProcess>> ending_;  // killed, and not yet buried
  std::uint64_t serial_ = 0;
  Instant due_ = kNever;
};

}  // namespace warmpool::daemon
