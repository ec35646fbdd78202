// One worker's process as the daemon holds it: its channel, its output, what it has in hand.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/directory/directory_owner.hpp"
#include "daemon/frame_stream.hpp"
#include "daemon/given_types.hpp"
#include "daemon/hand.hpp"
#include "daemon/output/output_pump.hpp"
#include "daemon/process/peer_process.hpp"
#include "daemon/process/process_figures.hpp"
#include "daemon/process/process_port.hpp"
#include "daemon/process/process_portrait.hpp"
#include "daemon/process/process_sampler.hpp"
#include "daemon/process/tree_memory.hpp"
#include "daemon/reactor.hpp"
#include "daemon/store/body_file.hpp"
#include "daemon/store/checkpoints.hpp"
#include "daemon/worker_descendants.hpp"
#include "ipc/worker_page.hpp"
#include "pool/command.hpp"
#include "pool/worker_event.hpp"

namespace warmpool::daemon {

struct Progress {
  std::uint16_t permille = 0;
  std::string text;
  std::string partial;  // what there is of the result so far; empty: nothing was said of it
  Content content = Content::Bytes;
};

// What a process looked like, when and at what.
struct Portrait {
  ProcessPortrait process;
  Instant at;
  std::string when;
};

// What a process that is not heard was seen to do, from one look to the next.
struct Looks {
  Instant at, told_at;  // at 0: it is not looked at
  Duration cpu_time;
  std::uint64_t voluntary_switches = 0;
  Motion motion{};
};

// That was made for one attempt.
struct AttemptDirectory {
  DirectoryOwner owner;
  std::string path;                          // empty: it is not ready
  std::optional<command::Assign> ungiven{};  // what its worker is to be given then
};

struct InHand {
  AttemptKey key;
  TypeId type;
  Instant assigned_at, begun_at;  // begun: or when what was before it in the hand was heard to end
  Instant progress_due = {};      // before it none is told to clients
  std::optional<Progress> untold = {};            // the last that came, unless it was told
  std::optional<std::uint32_t> place = {};        // in the file of attempts, of a registered worker
  Instant checkpoint_due = {};                    // before it none is given to the store
  std::optional<Checkpoint> unkept = {};          // sent last, unless it was given
  std::uint64_t memory_max = 0;                   // that its worker may have meanwhile
  EndCause ending = EndCause::Done;               // why it was told to end; Done: it was not
  std::shared_ptr<const Portrait> portrait = {};  // of its worker by then
  std::shared_ptr<AttemptDirectory> directory = {};  // null: it has none of its own
};

// See memory_watch.hpp.
struct WorkerMemory {
  MemoryFigure figure;  // the last one
  std::uint64_t peak = 0;
  std::uint64_t limit = 0;            // that its cgroup was told
  std::uint64_t hand_most = 0;        // nothing in its hand has a memory_max beyond it
  std::optional<std::uint64_t> told;  // to the core
  Instant looked_at, deep_at;
  std::optional<Instant> ooms_forgotten_at;
  bool near = false;   // its limit
  bool used = false;   // it has answered since it was looked at
  bool based = false;  // it was looked at after its first answer
  std::string over;    // in words, once it was over its hard limit
};

// See health_watch.hpp.
struct WorkerVitals {
  ProcessFigures figures;  // the last ones
  event::Measures told;
  std::optional<std::string> cpu_stat;  // empty: its cgroup is not its own
  std::uint64_t output_bytes = 0;
  Instant at, due;
};

// What it says of itself.
struct WorkerSaid {
  std::map<std::string, std::int64_t, std::less<>> gauges;
  Instant gauges_at;
  bool degraded = false;
  std::string reason;
};

// See checks.hpp.
struct WorkerCheck {
  Instant due, at;  // at: of the last one that ended
  Duration took;
  std::uint64_t failures = 0;  // in a row
  bool running = false, passed = false;
  std::string text;
};

// Order: watches end before the descriptors that they watch.
struct WorkerProcess {
  WorkerProcess(Child started, SlotId its_slot, ClassId its_class, std::uint64_t secret,
                Instant now)
      : id(started.worker),
        slot(its_slot),
        worker_class(its_class),
        token(secret),
        child(std::move(started)),
        channel(std::move(child.channel), std::move(child.channel_out),
                ipc::before_hello(ipc::Party::Worker, ipc::Party::Daemon)),
        spawned_at(now),
        last_heard(now) {}
  // Of a worker that connected by itself.
  WorkerProcess(Child known, const command::Admit& place, FrameStream stream, Instant now)
      : id(known.worker),
        slot(place.home),
        worker_class(place.worker_class),
        token(0),
        child(std::move(known)),
        channel(std::move(stream)),
        registered(true),
        spawned_at(now),
        last_heard(now) {}

  // A channel ends a moment before its process's exit is told; so long its end is no fault. One
  // that was not started here closes its channel and lives on, once it was asked to end.
  static constexpr Duration kExitGrace = milliseconds(100);
  Duration last_words() const { return registered && retired ? Duration{} : kExitGrace; }

  WorkerId id;
  SlotId slot;  // the home: where people look for it
  ClassId worker_class;
  std::uint64_t token;  // what its hello must carry
  Child child;
  FrameStream channel;
  OutputPump output{OutputStream::Out}, errors{OutputStream::Err};
  std::unique_ptr<Watch> exit_watch, launch_watch, channel_watch, output_watch, errors_watch;
  std::unique_ptr<Watch> write_watch;  // of the end of a FIFO that is written; none with a socket
  GivenTypes types;
  std::uint64_t features = 0;
  bool ready = false;        // said hello
  bool broken = false;       // its channel is of no use any more, and the core knows
  bool dirty = false;        // is in the list of those to be flushed
  ipc::SharedFd unreadable;  // the payload in whose middle its channel stands for ever
  bool blocked = false;      // waits until its channel can be written
  bool stopped = false;      // the kernel says so, and the core knows
  bool buried = false;       // is taken away at the end of the turn
  // Set: its last result waits until it is on the disk, and nothing of its channel is read
  // meanwhile: the frame stays valid. `released`: it is to go on without.
  struct Held {
    ipc::Frame frame;
    KeptBody kept;
    bool released = false;
  };
  std::optional<Held> held;
  bool holds_none = false;  // its end is being read
  Hand<InHand> in_hand;
  bool fresh_directories = false;       // each of its attempts has one
  std::string directory;                // that of its place; empty: there is none
  bool registered = false;              // somebody else started it
  bool retired = false;                 // was asked to end
  ProcessName name;                     // of one that is registered
  std::optional<ipc::PageReader> page;  // none: it beats by frames
  ipc::PageTallies tallies;             // as read last
  std::string launch_error;

  std::uint32_t generation = 0;  // of the template that forked it; 0: none did
  Instant spawned_at, last_heard;
  std::optional<Duration> started_in;          // until its hello
  std::optional<Instant> frame_since;          // an unfinished frame was begun
  std::optional<Instant> closed_at, write_at;  // its channel is at its end; is to be tried again
  std::optional<ProcessSampler> sampler;
  std::optional<ProcessSample> sample;  // the last one
  WorkerMemory memory;
  WorkerDescendants descendants;
  WorkerVitals vitals;
  WorkerSaid said;
  WorkerCheck check;
  Looks look;
  std::optional<ExitCause> ordered;          // why it is being ended
  std::shared_ptr<const Portrait> portrait;  // before that
};

}  // namespace warmpool::daemon
