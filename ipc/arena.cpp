// Fresh memory is what a large payload costs: 41 ms to write 100 MiB into a new memfd, 11 ms to
// copy them over what is there. The first payload is written and not copied, which is half as dear,
// and the mapping is made before the last seal, which shuts out all later ones that could write.
//
// Its pages are taken into the mapping at once, with the second payload: each by itself, as it is
// touched, they cost twice as much (51 and not 23 ms of 100 MiB).
#include "ipc/arena.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/large_body.hpp"
#include "pool/require.hpp"

namespace warmpool::ipc {
namespace {

constexpr int kSeals = F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

}  // namespace

bool is_arena(int fd) {
  const int seals = ::fcntl(fd, F_GET_SEALS);
  return seals >= 0 && (seals & kSeals) == kSeals && (seals & F_SEAL_WRITE) == 0;
}

bool is_own_arena(int fd) {
  struct stat found {};
  return is_arena(fd) && ::fstat(fd, &found) == 0 && found.st_uid == ::geteuid();
}

// No look for holes, which would be a walk over all pages for each task; who makes one is of this
// user, and harms a task of its own.
Result<void> check_arena(int fd, std::uint64_t bytes) {
  if (!is_arena(fd)) return Error{EINVAL, "it is no arena"};
  return check_memory(fd, bytes);
}

Result<Arena> Arena::of(Bytes bytes) {
  auto writer = LargeWriter::make();
  if (!writer) return writer.error();
  if (auto written = writer->append(bytes); !written) return written.error();
  auto fd = writer->unsealed();
  auto mapping = Mapping::of(fd.get(), bytes.size(), Mapping::Access::ReadWrite);
  if (!mapping) return mapping.error();
  if (::fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) {
    const int code = errno;
    return Error{code, std::string("cannot seal shared memory: ") + std::strerror(code)};
  }
  return Arena(std::make_shared<const UniqueFd>(std::move(fd)), std::move(*mapping));
}

void Arena::fill(Bytes bytes) {
  REQUIRE(bytes.size() == mapping_.bytes());
  // Where the kernel cannot (before 5.14) they are touched one by one.
  if (!touched_) ::madvise(mapping_.data(), mapping_.bytes(), MADV_POPULATE_WRITE);
  touched_ = true;
  std::memcpy(mapping_.data(), bytes.data(), bytes.size());
}

}  // namespace warmpool::ipc
