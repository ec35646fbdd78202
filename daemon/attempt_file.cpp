// A header of 64 bytes with the name of the boot, then entries of 32 bytes: task, start of the
// process, its number, and a number made of the three, so that a torn entry is none. Written by
// pwrite, so that a file system that is full is an error and not a signal.
#include "daemon/attempt_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace warmpool::daemon {
namespace {

constexpr std::string_view kMagic = "WPATTEMPTS1 ";
constexpr std::size_t kHeaderBytes = 64, kEntryBytes = 32;
// More places than that are none that this daemon made: 10,000 workers of 64 attempts.
constexpr std::uint32_t kPlacesMax = 10'000 * 64;

using Words4 = std::array<std::uint64_t, 4>;
static_assert(sizeof(Words4) == kEntryBytes);

std::uint64_t seal_of(const Words4& words) {
  std::uint64_t seal = 0x57504154;
  for (std::size_t i = 0; i < 3; ++i) seal = (seal ^ words[i]) * 0x9e3779b97f4a7c15ULL;
  return seal | 1U;
}

off_t offset_of(std::uint32_t place) {
  return static_cast<off_t>(kHeaderBytes + std::size_t{place} * kEntryBytes);
}

std::string header_of(std::string_view boot) {
  std::string header(kMagic);
  header += boot;
  header.resize(kHeaderBytes, '\n');
  return header;
}

}  // namespace

Result<AttemptFile> AttemptFile::open(const std::string& path) {
  AttemptFile made;
  made.path_ = path;
  made.file_.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  const auto fault = [&] {
    const int code = errno;
    return Error{code, path + ": " + std::strerror(code)};
  };
  if (!made.file_) return fault();
  const auto boot = boot_id();
  if (made.read(boot)) return made;
  const auto header = header_of(boot);
  const bool written =
      ::ftruncate(made.file_.get(), 0) == 0 &&
      ::pwrite(made.file_.get(), header.data(), header.size(), 0) == ssize_t{kHeaderBytes};
  if (!written) return fault();
  return made;
}

bool AttemptFile::read(std::string_view boot) {
  std::string header(kHeaderBytes, '\0');
  struct stat found {};
  const bool same =
      ::pread(file_.get(), header.data(), header.size(), 0) == ssize_t{kHeaderBytes} &&
      header == header_of(boot) && ::fstat(file_.get(), &found) == 0;
  if (!same) return false;
  const auto bytes = static_cast<std::size_t>(found.st_size) - kHeaderBytes;
  places_ = static_cast<std::uint32_t>(std::min<std::size_t>(bytes / kEntryBytes, kPlacesMax));
  for (std::uint32_t place = 0; place < places_; ++place) {
    Words4 words{};
    const bool whole =
        ::pread(file_.get(), words.data(), kEntryBytes, offset_of(place)) == ssize_t{kEntryBytes};
    if (!whole || words[3] != seal_of(words)) {
      free_.push_back(place);
      continue;
    }
    entries_.push_back({TaskId{words[0]}, {static_cast<pid_t>(words[2]), words[1]}, place});
  }
  return true;
}

Result<std::uint32_t> AttemptFile::add(TaskId task, const ProcessName& process) {
  if (free_.empty()) free_.push_back(places_++);
  const auto place = free_.back();
  Words4 words{task.value, process.start_ticks, static_cast<std::uint64_t>(process.pid), 0};
  words[3] = seal_of(words);
  if (file_) {
    const auto bytes = ::pwrite(file_.get(), words.data(), kEntryBytes, offset_of(place));
    if (bytes < 0) return Error{errno, path_ + ": " + std::strerror(errno)};
    if (bytes != ssize_t{kEntryBytes}) return Error{ENOSPC, path_ + ": " + std::strerror(ENOSPC)};
  }
  free_.pop_back();
  return place;
}

// One that stays holds its task back in the next life until its process ends, and no longer.
void AttemptFile::erase(std::uint32_t place) {
  const Words4 none{};
  if (file_) (void)!::pwrite(file_.get(), none.data(), kEntryBytes, offset_of(place));
  free_.push_back(place);
}

}  // namespace warmpool::daemon
