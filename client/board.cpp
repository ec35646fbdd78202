// Whether the daemon lives is asked of the kernel: it holds a lock on the file for as long as it
// has it open. A pid would say less: it is used again, and means nothing in another container.
#include "client/board.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/fault.hpp"

namespace warmpool::client {
namespace {

Error fault(Fault code, std::string text) { return {static_cast<int>(code), std::move(text)}; }

Error cannot_open(const std::string& path, int failed) {
  if (failed == ENOENT || failed == ENOTDIR) {
    return fault(
        Fault::Unreachable,
        "there is no board at " + path +
            ": no daemon runs there, or it has board = false; ask it with: warmpool status");
  }
  const std::string why = std::strerror(failed);
  if (failed == EACCES) {
    return fault(Fault::Unreachable, "you may not read the board " + path + " (" + why +
                                         "): the daemon's user may, and its socket_group");
  }
  return fault(Fault::Unreachable, "cannot open the board " + path + ": " + why);
}

std::int64_t clock_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

// Of a living daemon by the clock that nobody sets; that of a dead one may be of another boot.
Duration age_of(const ipc::BoardPool& pool, bool alive) {
  const auto age = alive ? clock_ns(CLOCK_MONOTONIC) - pool.updated_monotonic
                         : clock_ns(CLOCK_REALTIME) - pool.updated_at;
  return {std::max<std::int64_t>(age, 0)};
}

}  // namespace

Board::Board(std::string path, bool by_default, ipc::UniqueFd fd, ipc::BoardReader reader)
    : path_(std::move(path)),
      by_default_(by_default),
      fd_(std::move(fd)),
      reader_(std::move(reader)) {}

Result<Board> Board::open(std::string_view socket) {
  const auto address = ipc::socket_address(socket, ipc::Surroundings::of_process());
  const auto slash = address.path.rfind('/');
  const auto directory = slash == std::string::npos ? "" : address.path.substr(0, slash + 1);
  return open_at(directory + ipc::kBoardName, address.by_default);
}

// Non-blocking, so that a FIFO of that name holds nobody.
Result<Board> Board::open_at(std::string path, bool by_default) {
  ipc::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return cannot_open(path, errno);
  struct stat found {};
  if (::fstat(fd.get(), &found) != 0) return cannot_open(path, errno);
  if (by_default && found.st_uid != ::geteuid() && found.st_uid != 0) {
    return fault(Fault::Unreachable, "the board " + path + " is of user " +
                                         std::to_string(found.st_uid) +
                                         "; if that is meant, name its socket with --socket");
  }
  auto reader = ipc::BoardReader::open(fd.get());
  if (!reader) return fault(Fault::Protocol, path + ": " + reader.error().text);
  return Board(std::move(path), by_default, std::move(fd), std::move(*reader));
}

// Asks what would be in the way of a lock, and takes none. Source: fcntl(2), F_OFD_GETLK.
bool Board::writer_lives() const {
  struct flock whole {};
  whole.l_type = F_RDLCK;
  whole.l_whence = SEEK_SET;
  return ::fcntl(fd_.get(), F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
}

Result<BoardView> Board::read() {
  if (reader_.end() == ipc::BoardEnd::Replaced) {
    auto again = open_at(path_, by_default_);
    if (!again) return again.error();
    *this = std::move(*again);
  }
  auto figures = reader_.read();
  if (!figures) {
    const auto code = figures.error().code == EAGAIN ? Fault::TimedOut : Fault::Protocol;
    return fault(code, path_ + ": " + figures.error().text);
  }
  BoardView view;
  view.server = ipc::text_in(reader_.header().server);
  view.pid = reader_.header().pid;
  view.alive = writer_lives();
  view.age = age_of(figures->pool, view.alive);
  view.figures = std::move(*figures);
  return view;
}

}  // namespace warmpool::client
