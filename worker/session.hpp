// The worker's end of its channel: what came, what is in hand, what was answered.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ipc/channel.hpp"
#include "ipc/metas.hpp"
#include "ipc/stamps.hpp"
#include "ipc/type_names.hpp"
#include "ipc/worker_page.hpp"
#include "worker/attempt.hpp"
#include "worker/cancel_signal.hpp"
#include "worker/context.hpp"
#include "worker/kept_arenas.hpp"

namespace warmpool::worker {

// Threads: who holds the baton; see baton.hpp. Blocks: only greet, write_down and finish.
class Session {
 public:
  using Clock = std::chrono::steady_clock;

  Session(const Settings& settings, const Handlers& handlers, ipc::Channel channel,
          CancelSignal& cancel);

  enum class End : std::uint8_t { Open, Closed, Broken };
  End end() const { return end_; }
  bool open() const { return end_ == End::Open; }
  // Of Broken. One line.
  const std::string& why() const { return why_; }
  // The daemon wants no more than what is in hand.
  bool retiring() const { return retiring_; }
  // The daemon did not start this process.
  bool registered() const { return registered_; }
  // The daemon ended, or says that it may take this worker another time.
  bool may_come_again() const { return may_come_again_ || end_ == End::Closed; }
  // Says that this worker finishes what it has and wants no more. Once; a registered one only.
  void leave();
  bool leaving() const { return leaving_; }

  // Says hello and waits for welcome. False: see end(). Blocks: kWelcomeWait at most.
  bool greet(const Settings& settings);
  static constexpr std::chrono::seconds kWelcomeWait{60};

  // Reads and writes what can be done at once, and acts on every frame that came.
  void exchange();
  // Writes what can be written at once; acts on frames that came meanwhile.
  void write();
  // Writes until at most kOutBytesMax are left, so that results do not pile up in memory.
  // Blocks: while the daemon does not read.
  void write_down();
  // Writes all. Blocks: as long, at most kFinishWait.
  void finish();
  static constexpr std::size_t kOutBytesMax = 1U << 20;
  static constexpr std::chrono::seconds kFinishWait{30};

  AttemptQueue& in_hand() { return queue_; }
  // Between them a handler runs: what cancel-attempt and recall find started, and what the page
  // names.
  void begin_run(const Attempt& attempt);
  void end_run(std::chrono::nanoseconds took);

  void answer(const AttemptKey& key, Answer&& answer, std::chrono::nanoseconds took);
  // When an attempt that was answered passed this worker; of one whose `taken_at` is set.
  void stamp(const AttemptKey& key, std::uint64_t taken, std::uint64_t begun, std::uint64_t ended);
  // Those that have not started are answered as failed: this worker must end.
  void refuse_waiting(std::string_view why);
  void progress(const AttemptKey& key, const HeldReport::Report& report);
  // Of what runs, if anything does.
  void report_progress(const HeldReport::Report& report);
  bool passes_partials() const { return (features_ & ipc::feature::kPartial) != 0; }
  void report(const WorkerReport& report);
  // False: this daemon keeps none. Blocks: while the daemon does not read.
  bool checkpoint(const AttemptKey& key, std::string_view bytes, Content content);
  // In the page, without a system call; where there is none as a frame that is to be written.
  void beat(Clock::time_point now);
  // Why there is no page though the daemon gave one; empty otherwise.
  const std::string& page_fault() const { return page_fault_; }

  int read_fd() const { return channel_.read_fd(); }
  int write_fd() const { return channel_.write_fd(); }
  std::size_t out_bytes() const { return channel_.out_bytes(); }
  bool wants_write() const { return channel_.wants_write(); }
  ipc::Deadline retry_at() const { return channel_.retry_at(); }
  KeptArenas& arenas() { return arenas_; }
  std::chrono::nanoseconds heartbeat_interval() const { return heartbeat_interval_; }
  std::uint64_t result_bytes_max() const { return result_bytes_max_; }

 private:
  void drain();
  void note(ipc::Channel::State state);
  void act_on(const ipc::Frame& frame);
  void on_welcome(const ipc::Frame& frame);
  void open_page(const ipc::Header& welcome);
  void on_error(const ipc::Frame& frame);
  void on_type_name(const ipc::Frame& frame);
  void on_assign(const ipc::Frame& frame);
  void on_cancel(const ipc::Frame& frame);
  void on_recall(const ipc::Frame& frame);
  void on_checkpoint_please(const ipc::Frame& frame);
  // False: it was answered as failed.
  bool take_large(const ipc::Frame& frame, std::uint32_t bytes, Attempt& attempt);
  Result<void> open_large(ipc::UniqueFd came, std::uint32_t bytes, Attempt& attempt);
  void answer_large(const AttemptKey& key, ipc::Header header, const std::string& body);
  void send_stamps() {
    if (!stamped_.empty()) queue_stamps();
  }
  void queue_stamps();
  void send_failed(const AttemptKey& key, const Answer& answer, std::uint16_t micros);
  void close();
  void fail(std::string why);

  const Handlers& handlers_;
  CancelSignal& cancel_;
  ipc::Channel channel_;
  const unsigned credits_;
  std::uint64_t id_;  // of a registered one it comes with welcome
  const bool registered_;
  std::optional<ipc::PageWriter> page_;
  std::string page_fault_;
  ipc::TypeNames type_names_;
  AttemptQueue queue_;
  KeptArenas arenas_;
  const Attempt* running_ = nullptr;
  struct Stamped {
    AttemptKey key;
    ipc::WorkerStamps stamps;
  };
  std::vector<Stamped> stamped_;  // that were answered and not yet written
  std::uint64_t features_ = 0, result_bytes_max_ = 0, large_bytes_max_ = 0;
  std::chrono::nanoseconds heartbeat_interval_{};
  std::string scratch_;  // meta that is being encoded
  bool welcomed_ = false, retiring_ = false, leaving_ = false, may_come_again_ = false;
  End end_ = End::Open;
  std::string why_;
};

}  // namespace warmpool::worker
