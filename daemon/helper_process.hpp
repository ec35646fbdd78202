// One life of a process that is no worker, as a template: its channel, what it writes.
#pragma once

#include <memory>
#include <string>

#include "daemon/log.hpp"
#include "daemon/output/output_pump.hpp"
#include "daemon/process/process_port.hpp"
#include "daemon/reactor.hpp"

namespace warmpool::daemon {

// Their numbers, above those of workers and below those of templates: kHelperNumbers + a number of
// the part of the daemon that starts them, below kHelperParts, + a multiple of that.
inline constexpr std::uint64_t kHelperNumbers = std::uint64_t{1} << 62;
inline constexpr std::uint64_t kHelperParts = 16;

// Order: watches end before the descriptors that they watch.
class HelperProcess {
 public:
  // `title`: for the log, in which its output goes line by line, at this level. Without a channel
  // `packet` is never called.
  HelperProcess(Child started, std::string title, Log& log, LogLevel level = LogLevel::Info);

  struct Handlers {
    Reactor::Handler exit, packet;
  };
  // False: the kernel watches no more descriptors.
  bool watch(Reactor& reactor, Handlers handlers, std::function<Instant()> now);
  // Nothing of it is heard any more, but its exit.
  void hang_up();
  // The exit is looked for by the clock; see ProcessPort::bury.
  void stop_watching_exit() { exit_watch_.reset(); }
  bool watches_exit() const { return exit_watch_ != nullptr; }

  WorkerId id() const { return child_.worker; }
  pid_t pid() const { return child_.pid; }
  int channel() const { return child_.channel.get(); }
  // What is there now: at its end nothing of it is lost.
  void read_rest(Instant now);
  // Of the launcher; empty: its program runs.
  const std::string& launch_error() const { return launch_error_; }
  // The last line that it wrote to stderr; may be empty.
  const std::string& last_words() const { return last_words_; }

  std::optional<Instant> closed_at;  // its channel is at its end
  bool buried = false;

 private:
  void read_launch();
  void read(OutputPump& pump, ipc::UniqueFd& fd, std::unique_ptr<Watch>& watch, Instant now);
  void log_lines();

  Child child_;
  std::string title_;
  Log& log_;
  LogLevel level_;
  OutputRing ring_;
  OutputPump output_{OutputStream::Out}, errors_{OutputStream::Err};
  std::uint64_t logged_ = 0;  // lines
  std::string launch_error_, last_words_;
  std::unique_ptr<Watch> exit_watch_, launch_watch_, channel_watch_, output_watch_, errors_watch_;
};

}  // namespace warmpool::daemon
