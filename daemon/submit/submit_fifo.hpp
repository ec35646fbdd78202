// submit.fifo: tasks from whoever can write a line, without a client and without an answer.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "daemon/submit/intake.hpp"
#include "daemon/submit/line_buffer.hpp"
#include "daemon/submit/rejects.hpp"
#include "daemon/submit/submit_line.hpp"
#include "ipc/fifo.hpp"

namespace warmpool::daemon {

struct SubmitFifoFigures {
  std::string path;
  bool open = false;  // false: something is in its way
  std::uint64_t lines = 0, accepted = 0, duplicates = 0, rejected = 0, in_flight = 0;
};

// Bounds: of a turn one read of at most 64 KiB and kLinesMax lines; kInFlightMax lines that the
// core has not answered. While these are reached it is not read from, and its writers wait.
class SubmitFifo {
 public:
  // `client`: as whom it asks the core. Order: the directory, ours and locked, outlives it.
  SubmitFifo(Services& services, Intake& intake, const ipc::RuntimeDirectory& directory,
             ClientId client);

  // Makes the FIFO, or takes over the one that an earlier life left: whoever waits in an open for a
  // reader is served then. A file that a shell made while there was no FIFO is moved aside.
  // To be called now and then: it is made again if it is gone.
  // False: it cannot be; the log says why, once.
  bool check();
  // The name goes, what is still in it is rejected, and so is what was not answered.
  void close();

  // Some lines, at the beginning of a turn.
  void take_lines();
  // At the end of a turn: more can be done at once.
  bool ready() const { return buffer_.has_line() && in_flight_.size() < kInFlightMax; }
  // When a line that nothing ends is taken as it is; kNever if there is none.
  Instant due() const;

  // The core's answers.
  bool is(ClientId client) const { return client == client_; }
  void carry(const command::Accepted& command);
  void carry(const command::Refused& command);

  SubmitFifoFigures figures() const;

  static constexpr char kName[] = "submit.fifo";
  static constexpr std::size_t kLinesMax = 256;
  static constexpr std::size_t kInFlightMax = 1'024;

 private:
  static constexpr std::size_t kReadBytesMax = 64 * 1024;
  // How long a line may go without its end.
  static constexpr Duration kSilenceMax = seconds(1);

  Result<ipc::UniqueFd> take_over();
  Result<ipc::UniqueFd> make();
  bool move_aside();
  void begin(ipc::UniqueFd fd);
  void read();
  void drain();
  void take(const LineBuffer::Line& line);
  void submit(std::string_view text);
  void reject(std::string_view text, std::string_view reason);
  void fit_watch();

  Services& services_;
  Intake& intake_;
  const ipc::RuntimeDirectory& directory_;
  ClientId client_;
  Rejects rejects_;
  ipc::UniqueFd fd_;
  ipc::FileName name_;
  std::unique_ptr<Watch> watch_;  // Order: ends before what it watches is closed
  LineBuffer buffer_{kSubmitLineMax, kReadBytesMax};
  Instant heard_at_;
  std::unordered_map<std::uint64_t, std::string> in_flight_;  // lines by request
  std::uint64_t requests_ = 0;
  bool failed_ = false;  // and the log knows
  SubmitFifoFigures figures_;
};

}  // namespace warmpool::daemon
