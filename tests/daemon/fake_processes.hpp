// Worker processes that are objects of the test: they speak real frames over real sockets or FIFOs.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "daemon/process/process_port.hpp"
#include "ipc/channel.hpp"
#include "ipc/worker_page.hpp"
#include "tests/ipc/temporary_directory.hpp"

namespace warmpool::daemon {

// The test's end of one worker.
struct FakeWorker {
  SpawnSpec spec;
  std::unique_ptr<ipc::Channel> channel;
  ipc::UniqueFd exit_event, output, errors;
  std::string fifo_in, fifo_out;  // their names, if its channel is made of FIFOs
  std::optional<Exit> exit;
  bool said_hello = false, reaped = false, disowned = false;
  ipc::UniqueFd packets;           // of a template: its end
  std::uint64_t features = 0;      // of welcome
  std::vector<std::string> types;  // by number
  std::vector<int> signals;
  std::vector<ipc::Header> assigned;       // all that it was given
  std::vector<std::string> directories;    // of these; empty: none of its own
  std::vector<std::string> payloads;       // of these, with what is behind them
  std::vector<std::uint32_t> checkpoints;  // of these: so many bytes behind
  std::vector<ipc::Header> asked;          // for a checkpoint
  std::vector<std::string> larges;         // payloads that came as descriptors
  std::optional<ipc::Mapping> page;        // came with its welcome
  MemoryFigure memory{.own_bytes = 10U << 20, .rss_bytes = 12U << 20};
  std::vector<MemoryLook> looks;
  std::uint64_t memory_max = 0;    // as the port was told last
  bool ooms = false;               // the kernel killed in its cgroup
  std::size_t ooms_forgotten = 0;  // so often
  std::vector<pid_t> descendants;  // that live
  std::size_t walks = 0;           // over these
  std::uint64_t& page_word(std::size_t offset) {
    return *reinterpret_cast<std::uint64_t*>(page->data() + offset);
  }

  // Bytes as they are, past the channel's own queue.
  void send_bytes(std::string_view bytes) const;
};

// The bytes of a frame.
std::string frame_bytes(const ipc::Header& header, std::string_view payload = {});

class FakeProcesses : public ProcessPort {
 public:
  // How workers answer: "echo" with the payload, "fail" with a failure, "hang" never.
  // Does what is there for all of them to do.
  void work();

  void die(FakeWorker& worker, Exit exit);
  FakeWorker* alive();  // any one; null if none
  std::size_t alive_count() const;

  // What is answered to the next payload that came as a descriptor; empty: the same bytes.
  ipc::UniqueFd large_answer;
  std::uint32_t large_answer_bytes = 0;
  bool answers_hello = true, answers_tasks = true, answers_pings = true;
  bool says_stamps = true;                           // of what it is to
  std::uint64_t token_offset = 0;                    // added to the token in hello: not 0 is wrong
  int spawn_error = 0;                               // errno of the next spawns
  std::uint64_t features = ipc::feature::kOfWorker;  // that workers say
  std::uint8_t credits = 1;
  std::map<std::uint64_t, FakeWorker> workers;  // by id
  // Templates are in `workers` too; what they were asked for is here until it is adopted or
  // abandoned.
  std::map<std::uint64_t, FakeWorker> ordered;
  std::vector<WorkerId> abandoned;
  bool adopts = true;
  bool watchable = true;                          // else the kernel refuses to tell of their end
  bool kills = true;                              // else a process that is killed does not go
  std::vector<pid_t> descendants_of_new;          // that they have
  pid_t pid_of_new = 0;                           // what those that start are to /proc; 0: any
  std::map<WorkerId, std::vector<pid_t>> spared;  // at the last end of the others
  Orphans orphans;                                // found each time
  std::size_t reaped = 0;                         // so often
  // Where FIFOs are made, with nothing else in it.
  const ipc::RuntimeDirectory& fifo_directory() { return place().directory; }

  Result<Child> spawn(const SpawnSpec& spec) override;
  Result<ipc::UniqueFd> adopt(Stranger stranger) override;
  void disown(WorkerId worker) override;
  Result<ForkOrder> order_fork(const SpawnSpec& spec) override;
  Result<Child> take_forked(Child child, ipc::UniqueFd pidfd) override;
  void abandon(WorkerId worker) override;
  Result<void> signal(WorkerId worker, int number) override;
  TreeEnd kill_tree(WorkerId worker) override;
  std::optional<Exit> inspect(WorkerId worker) override;
  std::optional<MemoryFigure> memory(WorkerId worker, MemoryLook look) override;
  void limit_memory(WorkerId worker, std::uint64_t bytes) override;
  void forget_ooms(WorkerId worker) override;
  bool oom_since(WorkerId worker) override { return workers.at(worker.value).ooms; }
  std::vector<pid_t> descendants(WorkerId worker, Which which) override;
  std::uint32_t end_others(WorkerId worker, const std::vector<pid_t>& spared, Which which) override;
  Orphans reap_orphans() override;

 protected:
  void reap(WorkerId worker) override;

 private:
  Child begin(FakeWorker& worker, const SpawnSpec& spec);
  void connect(FakeWorker& worker, Child& child);
  static void connect_template(FakeWorker& worker, Child& child);
  void connect_fifos(FakeWorker& worker, Child& child);
  void say_hello(FakeWorker& worker);
  void take(FakeWorker& worker, const ipc::Frame& frame);
  void take_large(FakeWorker& worker, const ipc::Header& header, std::uint32_t bytes);

  struct Place {
    ipc::test::TemporaryDirectory base;
    ipc::RuntimeDirectory directory;
  };
  Place& place();
  std::unique_ptr<Place> place_;  // once it is needed
};

}  // namespace warmpool::daemon
