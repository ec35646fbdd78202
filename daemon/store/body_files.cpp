// An unnamed file leaves nothing behind when the daemon dies in the middle of it. File systems that
// have none get a name that ends in ".part", which a start removes.
#include "daemon/store/body_files.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "daemon/quiet_thread.hpp"
#include "daemon/store/checksum.hpp"
#include "daemon/whole_files.hpp"
#include "ipc/fd.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::string_view kEnds[] = {".payload", ".result"};
constexpr std::string_view kPart = ".part";
constexpr std::size_t kCopiedAtOnce = 1U << 20;

Error failed(const std::string& what) { return {errno, what + ": " + std::strerror(errno)}; }

// None: no name of a body.
std::optional<BodyFile> file_of(std::string_view name) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc()) return std::nullopt;
  const BodyFile file{number};
  return body_name(file) == name ? std::optional(file) : std::nullopt;
}

class Digest {
 public:
  explicit Digest(std::uint64_t seed) {
    REQUIRE(state_ && XXH3_64bits_reset_withSeed(state_.get(), seed) == XXH_OK);
  }
  void add(ipc::Bytes bytes) { XXH3_64bits_update(state_.get(), bytes.data(), bytes.size()); }
  std::uint64_t take() const { return XXH3_64bits_digest(state_.get()); }

 private:
  std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state_{XXH3_createState(),
                                                                         XXH3_freeState};
};

// Tells the bytes of a file piece by piece.
Result<void> read_pieces(int from, std::uint64_t bytes,
                         const std::function<Result<void>(ipc::Bytes)>& tell) {
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(kCopiedAtOnce);
  for (std::uint64_t at = 0; at < bytes;) {
    const auto wanted = std::min<std::uint64_t>(kCopiedAtOnce, bytes - at);
    const auto got = ::pread(from, buffer.get(), wanted, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("cannot read a body");
    if (got == 0) return Error{0, "a body became shorter while it was read"};
    if (auto told = tell({buffer.get(), static_cast<std::size_t>(got)}); !told) return told;
    at += static_cast<std::uint64_t>(got);
  }
  return {};
}

// Read and written, because the digests need the bytes.
Result<BodySums> copy(int to, int from, std::uint64_t bytes, std::uint64_t seed) {
  Digest digest(seed), checksum(kDescriptorSeed);
  const auto done = read_pieces(from, bytes, [&](ipc::Bytes piece) -> Result<void> {
    if (!write_all(to, piece)) return failed("cannot write a body");
    digest.add(piece);
    checksum.add(piece);
    return {};
  });
  if (!done) return done.error();
  return BodySums{digest.take(), checksum.take()};
}

Result<BodySums> fill(int fd, const Blob& body, std::uint64_t seed) {
  Result<BodySums> sums = BodySums();
  if (const auto from = body.descriptor()) {
    sums = copy(fd, from->get(), body.size(), seed);
    if (!sums) return sums;
  } else if (!write_all(fd, body.bytes())) {
    return failed("cannot write a body");
  }
  if (::fsync(fd) != 0) return failed("cannot sync a body");
  return sums;
}

Result<BodySums> write_named(const std::string& path, const Blob& body, std::uint64_t seed) {
  const auto part = path + std::string(kPart);
  const ipc::UniqueFd fd(
      ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return failed("cannot make " + part);
  auto done = fill(fd.get(), body, seed);
  if (done && ::rename(part.c_str(), path.c_str()) != 0) done = failed("cannot make " + path);
  if (!done) ::unlink(part.c_str());
  return done;
}

}  // namespace

std::string bodies_directory(const std::string& database) {
  return database.substr(0, database.rfind('/') + 1) + "bodies";
}

std::string body_name(BodyFile file) {
  return std::to_string(file.number) + std::string(kEnds[file.number % 2]);
}

namespace {

Result<ipc::UniqueFd> open_file(const std::string& path, std::uint64_t bytes) {
  ipc::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return failed("cannot open " + path);
  struct stat found {};
  if (::fstat(fd.get(), &found) != 0) return failed("cannot look at " + path);
  if (static_cast<std::uint64_t>(found.st_size) != bytes) {
    return Error{0, path + " has " + std::to_string(found.st_size) + " bytes and should have " +
                        std::to_string(bytes)};
  }
  return fd;
}

}  // namespace

bool is_body_gone(const Error& error) { return error.code == 0 || error.code == ENOENT; }

std::string body_trouble(const Error& error) {
  const bool is_limit = error.code == EMFILE || error.code == ENFILE;
  const std::string help =
      is_limit ? "raise the limit of open files (LimitNOFILE=, ulimit -n)"
               : "see the log of the system; if the file is lost, remove it, and its task becomes "
                 "a dead letter, or its result is gone";
  return "a payload or result in a file: " + error.text + "; " + help;
}

Result<std::uint64_t> checksum_of_file(int fd, std::uint64_t bytes) {
  Digest checksum(kDescriptorSeed);
  const auto done = read_pieces(fd, bytes, [&](ipc::Bytes piece) -> Result<void> {
    checksum.add(piece);
    return {};
  });
  if (!done) return done.error();
  return checksum.take();
}

Result<ipc::UniqueFd> open_body(const std::string& directory, BodyFile file, std::uint64_t bytes) {
  return open_file(directory + "/" + body_name(file), bytes);
}

Result<Blob> read_body(const std::string& directory, BodyFile file, std::uint64_t bytes) {
  const auto path = directory + "/" + body_name(file);
  const auto opened = open_file(path, bytes);
  if (!opened) return opened.error();
  const auto& fd = *opened;
  const std::unique_ptr<std::byte[]> buffer(new std::byte[bytes]);
  std::size_t have = 0;
  while (have < bytes) {
    const auto got = ::read(fd.get(), buffer.get() + have, bytes - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("cannot read " + path);
    if (got == 0) return Error{0, path + " became shorter meanwhile"};
    have += static_cast<std::size_t>(got);
  }
  return Blob({buffer.get(), have});
}

std::optional<std::uint64_t> newest_life_of_bodies(const std::string& directory) {
  std::optional<std::uint64_t> newest;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(directory.c_str()), ::closedir);
  if (!entries) return newest;
  while (const auto* entry = ::readdir(entries.get())) {
    if (const auto file = file_of(entry->d_name)) {
      newest = std::max(newest.value_or(0), file->number >> kLifeShift);
    }
  }
  return newest;
}

void remove_bodies(const std::string& directory) {
  std::error_code gone;
  std::filesystem::remove_all(directory, gone);
}

std::size_t sweep_bodies(const std::string& directory, std::vector<BodyFile> named) {
  std::ranges::sort(named);
  std::vector<std::string> unwanted;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(directory.c_str()), ::closedir);
  if (!entries) return 0;
  while (const auto* entry = ::readdir(entries.get())) {
    std::string_view name(entry->d_name);
    const bool part = name.ends_with(kPart);
    if (part) name.remove_suffix(kPart.size());
    const auto file = file_of(name);
    if (!file || (!part && std::ranges::binary_search(named, *file))) continue;
    unwanted.push_back(directory + "/" + entry->d_name);
  }
  for (const auto& path : unwanted) ::unlink(path.c_str());
  return unwanted.size();
}

BodyFiles::BodyFiles(std::string directory, std::uint64_t life, int wake_fd)
    : directory_(std::move(directory)),
      wake_fd_(wake_fd),
      next_(life << kLifeShift),
      thread_(quiet_thread("warmpool-bodies", [this] { run(); })) {}

BodyFiles::~BodyFiles() {
  {
    const std::lock_guard lock(mutex_);
    quits_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

BodyFile BodyFiles::begin(BodyKind kind, Blob body, std::uint64_t seed) {
  next_ += 2;
  const BodyFile file{next_ + static_cast<std::uint64_t>(kind)};
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back({file, std::move(body), seed});
  }
  wake_.notify_one();
  return file;
}

std::vector<BodyEnded> BodyFiles::take_ended() {
  const std::lock_guard lock(mutex_);
  return std::exchange(ended_, {});
}

void BodyFiles::remove(std::vector<BodyFile> files) {
  if (files.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    unwanted_.insert(unwanted_.end(), files.begin(), files.end());
  }
  wake_.notify_one();
}

void BodyFiles::hold_removals(bool held) {
  {
    const std::lock_guard lock(mutex_);
    held_ = held;
  }
  wake_.notify_one();
}

bool BodyFiles::wait() {
  std::unique_lock lock(mutex_);
  const auto removes = [this] { return !held_ && !unwanted_.empty(); };
  wake_.wait(lock, [&] { return quits_ || !queue_.empty() || removes(); });
  return !queue_.empty() || removes();
}

void BodyFiles::run() {
  while (wait()) {
    std::vector<BodyFile> unwanted;
    std::optional<Work> work;
    {
      const std::lock_guard lock(mutex_);
      if (!held_) unwanted.swap(unwanted_);
      if (!queue_.empty()) {
        work.emplace(std::move(queue_.front()));
        queue_.pop_front();
      }
    }
    // In this order: what is given may be dropped at once.
    remove_files(unwanted);
    if (!work) continue;
    const auto written = write(*work);
    {
      const std::lock_guard lock(mutex_);
      BodyEnded ended{work->file, {}, 0};
      if (written) {
        ended.digest = written->digest;
        ended.file.checksum = written->checksum;
      } else {
        ended.fault = written.error().text;
      }
      ended_.push_back(std::move(ended));
    }
    const std::uint64_t one = 1;
    (void)!::write(wake_fd_, &one, sizeof one);
  }
}

Result<BodySums> BodyFiles::write(const Work& work) {
  if (!is_made_) {
    if (::mkdir(directory_.c_str(), 0700) != 0 && errno != EEXIST) {
      return failed("cannot make " + directory_);
    }
    if (auto synced = sync_parent(directory_); !synced) return synced.error();
    is_made_ = true;
  }
  const auto path = directory_ + "/" + body_name(work.file);
  const ipc::UniqueFd fd(::open(directory_.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
  auto done = Result<BodySums>(BodySums());
  if (fd) {
    done = fill(fd.get(), work.body, work.seed);
    const auto unnamed = "/proc/self/fd/" + std::to_string(fd.get());
    if (done && ::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW)) {
      done = failed("cannot make " + path);
    }
  } else if (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT) {
    done = write_named(path, work.body, work.seed);
  } else {
    done = failed("cannot make a file in " + directory_);
  }
  if (auto synced = done ? sync_directory(directory_) : Result<void>(); !synced) {
    done = synced.error();
  }
  if (!done) ::unlink(path.c_str());
  return done;
}

// What cannot be removed now goes at the next start.
void BodyFiles::remove_files(const std::vector<BodyFile>& files) {
  for (const auto file : files) ::unlink((directory_ + "/" + body_name(file)).c_str());
}

}  // namespace warmpool::daemon
