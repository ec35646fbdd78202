// One queue in order: a number begins a file, bytes go to the file that was begun last. After the
// first failure everything is thrown away: half a recording is of use, one with a hole is not.
#include "daemon/record/record_files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <unistd.h>

#include "daemon/quiet_thread.hpp"
#include "daemon/record/segment.hpp"
#include "daemon/whole_files.hpp"

namespace warmpool::daemon {
namespace {

struct DirCloser {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

std::size_t size_of(const std::variant<std::uint64_t, std::string>& piece) {
  const auto* bytes = std::get_if<std::string>(&piece);
  return bytes == nullptr ? 0 : bytes->size();
}

}  // namespace

Result<std::deque<std::uint64_t>> list_segments(const std::string& directory) {
  const std::unique_ptr<DIR, DirCloser> opened(::opendir(directory.c_str()));
  if (!opened) return Error{errno, directory + ": " + std::strerror(errno)};
  std::deque<std::uint64_t> numbers;
  while (const auto* entry = ::readdir(opened.get())) {
    if (const auto number = segment_number(entry->d_name); number != 0) numbers.push_back(number);
  }
  std::ranges::sort(numbers);
  return numbers;
}

RecordFiles::RecordFiles(ipc::RuntimeDirectory directory, std::size_t files_max)
    : directory_(std::move(directory)), files_max_(files_max) {
  if (auto numbers = list_segments(directory_.path()); numbers) kept_ = std::move(*numbers);
  if (!kept_.empty()) next_number_ = kept_.back() + 1;
  thread_ = quiet_thread("wp-record", [this] { run(); });
}

RecordFiles::~RecordFiles() {
  {
    const std::lock_guard lock(mutex_);
    quits_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

std::uint64_t RecordFiles::begin() {
  give(next_number_, 0);
  return next_number_++;
}

void RecordFiles::write(std::string bytes) {
  const auto size = bytes.size();
  give(std::move(bytes), size);
}

void RecordFiles::give(Piece piece, std::size_t bytes) {
  waiting_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(piece));
  }
  wake_.notify_one();
}

void RecordFiles::wait_below(std::size_t bytes) {
  std::unique_lock lock(mutex_);
  written_.wait(lock, [&] { return waiting_bytes() < bytes || failed(); });
}

std::string RecordFiles::trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

void RecordFiles::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return quits_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const Piece piece = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    take(piece);
    lock.lock();
    waiting_bytes_.fetch_sub(size_of(piece), std::memory_order_relaxed);
    written_.notify_all();
  }
}

void RecordFiles::take(const Piece& piece) {
  if (failed()) return;
  if (const auto* number = std::get_if<std::uint64_t>(&piece)) {
    if (!open(*number)) return fail("cannot make " + segment_name(*number));
    remove_oldest();
  } else if (!write_all(file_.get(), ipc::bytes_of(std::get<std::string>(piece)))) {
    fail("cannot write");
  }
}

bool RecordFiles::open(std::uint64_t number) {
  file_.reset(::openat(directory_.fd(), segment_name(number).c_str(),
                       O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file_) kept_.push_back(number);
  return static_cast<bool>(file_);
}

void RecordFiles::remove_oldest() {
  while (kept_.size() > files_max_) {
    ::unlinkat(directory_.fd(), segment_name(kept_.front()).c_str(), 0);
    kept_.pop_front();
  }
}

void RecordFiles::fail(const std::string& what) {
  const std::string why = std::strerror(errno);
  file_.reset();
  const std::lock_guard lock(mutex_);
  trouble_ = what + " in " + directory_.path() + ": " + why;
  failed_.store(true, std::memory_order_release);
}

}  // namespace warmpool::daemon
