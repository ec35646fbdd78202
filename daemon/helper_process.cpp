// What a module prints while it is loaded is nobody's task, so it goes into the log: there the
// traceback of one that cannot be loaded is found.
#include "daemon/helper_process.hpp"

#include "daemon/process/launch_outcome.hpp"

namespace warmpool::daemon {
namespace {

// Of one life; a module that prints more has its first lines there.
constexpr std::uint64_t kLoggedMax = 1'000;

}  // namespace

HelperProcess::HelperProcess(Child started, std::string title, Log& log, LogLevel level)
    : child_(std::move(started)), title_(std::move(title)), log_(log), level_(level) {}

bool HelperProcess::watch(Reactor& reactor, Handlers handlers, std::function<Instant()> now) {
  const auto start = [&](int fd, Reactor::Handler readable) {
    auto made = reactor.watch(fd, std::move(readable));
    if (made) made->start_reading();
    return made;
  };
  exit_watch_ = start(child_.exit_notice.get(), std::move(handlers.exit));
  const bool has_channel = static_cast<bool>(child_.channel);
  if (has_channel) channel_watch_ = start(child_.channel.get(), std::move(handlers.packet));
  launch_watch_ = start(child_.launch_status.get(), [this] { read_launch(); });
  output_watch_ = start(child_.output.get(),
                        [this, now] { read(output_, child_.output, output_watch_, now()); });
  errors_watch_ = start(child_.errors.get(),
                        [this, now] { read(errors_, child_.errors, errors_watch_, now()); });
  return exit_watch_ && (channel_watch_ || !has_channel) && launch_watch_ && output_watch_ &&
         errors_watch_;
}

void HelperProcess::hang_up() {
  launch_watch_.reset();
  channel_watch_.reset();
  child_.channel.reset();
}

void HelperProcess::read_launch() {
  if (!child_.launch_status) return;
  auto outcome = launch_outcome(child_.launch_status.get());
  if (outcome.state == LaunchState::Pending) return;
  launch_watch_.reset();
  child_.launch_status.reset();
  if (outcome.state == LaunchState::Failed) launch_error_ = std::move(outcome.error.text);
}

void HelperProcess::read(OutputPump& pump, ipc::UniqueFd& fd, std::unique_ptr<Watch>& watch,
                         Instant now) {
  const auto result = pump.pump(fd.get(), ring_, now);
  log_lines();
  if (!result.closed) return;
  watch.reset();
  fd.reset();
}

void HelperProcess::read_rest(Instant now) {
  read_launch();
  if (child_.output) output_.drain(child_.output.get(), ring_, now);
  if (child_.errors) errors_.drain(child_.errors.get(), ring_, now);
  output_watch_.reset();
  errors_watch_.reset();
  log_lines();
}

void HelperProcess::log_lines() {
  for (const auto& line : ring_.lines_after(logged_)) {
    logged_ = line.number;
    const bool error = line.stream == OutputStream::Err;
    if (error && !line.text.empty()) last_words_ = line.text;
    if (line.number <= kLoggedMax) log_.write(level_, title_ + ": " + line.text);
  }
}

}  // namespace warmpool::daemon
