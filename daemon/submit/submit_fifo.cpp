// The daemon has both ends open. So a writer never waits for a reader, never is killed by SIGPIPE
// while the daemon lives, and the last writer that closes makes no end of the stream, which would
// be readable for ever. What it gives up with that is to see when a writer goes: a line that
// somebody began and left is ended by a second of silence, and not by its writer's death.
//
// Nobody can be answered, so what cannot be accepted is kept in submit.rejected.
#include "daemon/submit/submit_fifo.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/process/process_port.hpp"
#include "daemon/refusals.hpp"

namespace warmpool::daemon {
namespace {

constexpr char kRejectsName[] = "submit.rejected";
constexpr char kMissedName[] = "submit.missed";

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r") == text.npos; }

}  // namespace

SubmitFifo::SubmitFifo(Services& services, Intake& intake, const ipc::RuntimeDirectory& directory,
                       ClientId client)
    : services_(services),
      intake_(intake),
      directory_(directory),
      client_(client),
      rejects_(directory.path() + "/" + kRejectsName, services.log, services.engine.clock()) {
  figures_.path = directory.path() + "/" + kName;
}

Result<ipc::UniqueFd> SubmitFifo::take_over() {
  auto fd = ipc::open_fifo(directory_.fd(), kName, O_RDWR, ::geteuid());
  if (fd && ::fchmod(fd->get(), 0600) != 0) return Error{errno, "its mode cannot be set"};
  return fd;
}

// `echo ... > submit.fifo` while no daemon runs makes a file of that name. What is in it is not
// lost, and not run behind anybody's back either.
bool SubmitFifo::move_aside() {
  struct stat found {};
  if (::fstatat(directory_.fd(), kName, &found, AT_SYMLINK_NOFOLLOW) != 0 ||
      !S_ISREG(found.st_mode) || found.st_uid != ::geteuid() ||
      ::renameat2(directory_.fd(), kName, directory_.fd(), kMissedName, RENAME_NOREPLACE) != 0) {
    return false;
  }
  const auto missed = directory_.path() + "/" + kMissedName;
  services_.log.warn("a file was in the place of " + figures_.path +
                     ", written while no daemon ran; it is " + missed +
                     " now. Look at it, and send it with: cat " + missed + " > " + figures_.path);
  return true;
}

Result<ipc::UniqueFd> SubmitFifo::make() {
  auto found = take_over();
  const bool free = found ? false : found.error().code == ENOENT || move_aside();
  if (found || !free) return found;
  if (::mkfifoat(directory_.fd(), kName, 0600) != 0) {
    const int failed = errno;
    return Error{failed, std::string(kName) + ": cannot be made: " + std::strerror(failed)};
  }
  return take_over();
}

void SubmitFifo::begin(ipc::UniqueFd fd) {
  watch_.reset();
  if (fd_) drain();
  fd_ = std::move(fd);
  name_ = ipc::FileName(directory_, kName, fd_.get());
  watch_ = services_.reactor.watch(fd_.get(), [this] { read(); });
  fit_watch();
}

bool SubmitFifo::check() {
  rejects_.tell_rest(services_.engine.now());
  if (name_.still_ours()) return true;
  const bool again = static_cast<bool>(fd_);
  auto made = make();
  if (!made) {
    if (!failed_) {
      services_.log.error("no tasks are taken from " + figures_.path + ": " + made.error().text +
                          "; move away what is in its place, and it is made within 10 s");
    }
    failed_ = true;
    return false;
  }
  begin(std::move(*made));
  if (again || failed_)
    services_.log.warn("the FIFO was gone and was made again: " + figures_.path);
  failed_ = false;
  return true;
}

// Not read from while its lines wait: then its writers wait, which is all that can be said to them.
void SubmitFifo::fit_watch() {
  if (!watch_) return;
  const bool waits = buffer_.full() || in_flight_.size() >= kInFlightMax;
  waits ? watch_->stop_reading() : watch_->start_reading();
}

void SubmitFifo::read() {
  std::array<char, kReadBytesMax> bytes;
  const auto got = ::read(fd_.get(), bytes.data(), bytes.size());
  if (got <= 0) return;
  buffer_.add({bytes.data(), static_cast<std::size_t>(got)});
  heard_at_ = services_.engine.now();
  fit_watch();
}

// All that is in it now, which is at most what a pipe holds.
void SubmitFifo::drain() {
  std::string bytes(bytes_waiting(fd_.get()), '\0');
  const auto got = bytes.empty() ? 0 : ::read(fd_.get(), bytes.data(), bytes.size());
  heard_at_ = services_.engine.now();
  if (got > 0) buffer_.add(std::string_view(bytes).substr(0, static_cast<std::size_t>(got)));
}

Instant SubmitFifo::due() const { return buffer_.has_rest() ? heard_at_ + kSilenceMax : kNever; }

void SubmitFifo::take_lines() {
  for (std::size_t lines = 0; lines < kLinesMax && in_flight_.size() < kInFlightMax; ++lines) {
    const auto line = buffer_.take();
    if (!line) break;
    take(*line);
  }
  if (due() <= services_.engine.now()) {
    if (const auto rest = buffer_.take_rest()) take(*rest);
  }
  fit_watch();
}

void SubmitFifo::take(const LineBuffer::Line& line) {
  if (!line.too_long && is_blank(line.text)) return;
  ++figures_.lines;
  submit(line.text);
}

void SubmitFifo::submit(std::string_view text) {
  const auto line = parse_submit_line(text);
  if (!line) return reject(text, line.error().text);
  const auto meta = line->meta();
  const Wish wish{.type = line->type,
                  .meta = meta,
                  .payload = ipc::bytes_of(line->payload),
                  .content = line->content.value_or(Content::Utf8),
                  .keep_result = line->keep_result,
                  .uid = ::geteuid()};
  std::string detail;
  TaskSpec spec;
  auto fault = intake_.check(wish, detail);
  const auto type = fault == Refusal{} ? intake_.find_type(wish.type) : std::nullopt;
  if (fault == Refusal{} && !type) return reject(text, intake_.unknown_type(wish.type));
  if (type) fault = intake_.prepare(wish, *type, spec, detail);
  if (fault != Refusal{}) return reject(text, detail.empty() ? meaning_of(fault) : detail);
  const RequestId request{++requests_};
  in_flight_.emplace(request.value, text);
  intake_.submit(client_, request, wish, spec);
}

void SubmitFifo::reject(std::string_view text, std::string_view reason) {
  rejects_.add(text, reason, services_.engine.now());
}

void SubmitFifo::carry(const command::Accepted& command) {
  ++(command.duplicate ? figures_.duplicates : figures_.accepted);
  in_flight_.erase(command.request.value);
  fit_watch();
}

void SubmitFifo::carry(const command::Refused& command) {
  const auto found = in_flight_.find(command.request.value);
  if (found == in_flight_.end()) return;
  reject(found->second, refusal_text(command.code, command.task));
  in_flight_.erase(found);
  fit_watch();
}

void SubmitFifo::close() {
  name_.remove();
  watch_.reset();
  if (fd_) drain();
  fd_.reset();
  for (const auto& [request, text] : in_flight_) {
    reject(text, "the daemon ended before it was accepted; it may have been");
  }
  in_flight_.clear();
  const auto reject_line = [&](const std::optional<LineBuffer::Line>& line) {
    if (line && !is_blank(line->text)) reject(line->text, meaning_of(Refusal::Stopping));
    return line.has_value();
  };
  while (reject_line(buffer_.take())) {
  }
  reject_line(buffer_.take_rest());
}

SubmitFifoFigures SubmitFifo::figures() const {
  auto figures = figures_;
  figures.open = fd_ && !failed_;
  figures.rejected = rejects_.count();
  figures.in_flight = in_flight_.size();
  return figures;
}

}  // namespace warmpool::daemon
