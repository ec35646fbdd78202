// A memfd is written and not mapped: to clear pages that are mapped and then filled costs half as
// much again (13 ms and not 22 for 16 MiB). It is read through a private map: kernels before 6.7
// refuse shared ones of what is sealed against writing.
//
// Pages that nobody wrote are made when they are read, which can fail: on hugetlbfs where none are
// left, on tmpfs where the memory is. So a memfd must be of the usual kind and written whole. What
// is swapped out can still fail to be read, as any memory can.
#include "ipc/large_body.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/magic.h>
#include <span>
#include <string_view>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace warmpool::ipc {
namespace {

constexpr int kSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
constexpr std::uint64_t kSearchedMax = 256U << 20;
constexpr std::size_t kReadAtOnce = 1U << 20;

Error system_said(const std::string& what) {
  const int code = errno;
  return {code, what + ": " + std::strerror(code)};
}

bool is_sealed(int fd) {
  const int seals = ::fcntl(fd, F_GET_SEALS);
  return seals >= 0 && (seals & kSeals) == kSeals;
}

Error other_size(std::int64_t found, std::uint64_t said) {
  return {EINVAL, "it has " + std::to_string(found) + " bytes, and " + std::to_string(said) +
                      " were announced"};
}

Result<void> check_size(int fd, std::uint64_t bytes) {
  struct stat found {};
  if (::fstat(fd, &found) != 0) return system_said("it cannot be looked at");
  if (!S_ISREG(found.st_mode)) return Error{EINVAL, "it is no file"};
  if (static_cast<std::uint64_t>(found.st_size) != bytes) return other_size(found.st_size, bytes);
  return {};
}

// Who gets it must be able to read it, and gets no more than the right that came with it. Open for
// writing alone, a memfd can be neither read nor mapped, and O_PATH is no open file at all.
Result<void> check_readable(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return system_said("it cannot be looked at");
  const bool readable = (flags & O_ACCMODE) != O_WRONLY && (flags & O_PATH) == 0;
  if (!readable) return Error{EINVAL, "it is not open for reading"};
  return {};
}

Error holes() {
  return {EINVAL, "it has holes, where nothing was written; write it whole, zeros too"};
}

// A hole is no byte: its pages are made by whoever reads it, who then may lack the memory. The
// blocks are counted, at no cost: who adds some behind the end could hide a hole there, and harms
// only who reads it.
Result<void> check_whole(int fd, std::uint64_t bytes) {
  struct stat found {};
  if (::fstat(fd, &found) != 0) return system_said("it cannot be looked at");
  if (static_cast<std::uint64_t>(found.st_blocks) * 512 < bytes) return holes();
  return {};
}

// To look for one takes 3 to 14 ms for 256 MiB, and beyond that it is not done.
// Its offset is the sender's as well, and stays.
Result<void> check_no_hole(int fd, std::uint64_t bytes) {
  if (bytes == 0 || bytes > kSearchedMax) return {};
  const auto offset = ::lseek(fd, 0, SEEK_CUR);
  const auto hole = ::lseek(fd, 0, SEEK_HOLE);
  if (offset < 0 || hole < 0) return system_said("it cannot be looked at");
  ::lseek(fd, offset, SEEK_SET);
  if (static_cast<std::uint64_t>(hole) != bytes) return holes();
  return {};
}

// A part of those from `at` on.
Result<std::size_t> read_piece(int fd, std::span<char> into, std::uint64_t at,
                               std::uint64_t bytes) {
  while (true) {
    const auto wanted = std::min<std::uint64_t>({kReadAtOnce, into.size(), bytes - at});
    const auto got = ::pread(fd, into.data(), wanted, static_cast<off_t>(at));
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) return other_size(static_cast<std::int64_t>(at), bytes);
    if (errno != EINTR) return system_said("it cannot be read");
  }
}

Result<std::string> read_all(int fd, std::uint64_t bytes) {
  std::string all(bytes, '\0');
  std::size_t at = 0;
  while (at < all.size()) {
    const auto got = read_piece(fd, std::span(all).subspan(at), at, bytes);
    if (!got) return got.error();
    at += *got;
  }
  return all;
}

}  // namespace

// The seals first: a size that is read before them may be another one by then.
Result<void> check_sealed(int fd, std::uint64_t bytes) {
  if (!is_sealed(fd)) {
    return Error{EINVAL, "it is no memfd with the seals write, shrink, grow and seal"};
  }
  if (auto sound = check_memory(fd, bytes); !sound) return sound;
  return check_no_hole(fd, bytes);
}

Result<void> check_memory(int fd, std::uint64_t bytes) {
  struct statfs system {};
  if (::fstatfs(fd, &system) != 0) return system_said("it cannot be looked at");
  if (system.f_type != TMPFS_MAGIC) return Error{EINVAL, "it is a memfd of huge pages"};
  if (auto readable = check_readable(fd); !readable) return readable;
  if (auto fit = check_size(fd, bytes); !fit) return fit;
  return check_whole(fd, bytes);
}

Result<LargeWriter> LargeWriter::make() {
  UniqueFd fd(::memfd_create("warmpool-body", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return system_said("cannot make shared memory");
  return LargeWriter(std::move(fd));
}

Result<void> LargeWriter::append(Bytes bytes) {
  while (!bytes.empty()) {
    const auto done = ::write(fd_.get(), bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return system_said("cannot write to shared memory");
    bytes = bytes.subspan(static_cast<std::size_t>(done));
    bytes_ += static_cast<std::uint64_t>(done);
  }
  return {};
}

Result<UniqueFd> LargeWriter::seal() {
  if (::fcntl(fd_.get(), F_ADD_SEALS, kSeals) != 0) return system_said("cannot seal shared memory");
  return std::move(fd_);
}

Result<UniqueFd> sealed_copy(Bytes bytes) {
  auto writer = LargeWriter::make();
  if (!writer) return writer.error();
  if (auto written = writer->append(bytes); !written) return written.error();
  return writer->seal();
}

Result<UniqueFd> sealed_or_copied(UniqueFd fd, std::uint64_t bytes) {
  if (is_sealed(fd.get())) return fd;
  if (auto fit = check_size(fd.get(), bytes); !fit) return fit.error();
  auto writer = LargeWriter::make();
  if (!writer) return writer.error();
  std::string piece(std::min<std::uint64_t>(kReadAtOnce, bytes), '\0');
  while (writer->bytes() < bytes) {
    const auto got = read_piece(fd.get(), piece, writer->bytes(), bytes);
    if (!got) return got.error();
    const auto read = std::string_view(piece).substr(0, *got);
    if (auto written = writer->append(bytes_of(read)); !written) return written.error();
  }
  return writer->seal();
}

Result<LargeView> LargeView::of(int fd, std::uint64_t bytes) {
  LargeView view;
  const bool sealed = is_sealed(fd);
  if (auto fit = check_size(fd, bytes); !fit) return fit.error();
  if (bytes == 0) return view;
  if (!sealed) {
    auto all = read_all(fd, bytes);
    if (!all) return all.error();
    view.read_ = std::move(*all);
    return view;
  }
  void* at = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
  if (at == MAP_FAILED) return system_said("it cannot be mapped");
  view.mapped_ = {static_cast<const std::byte*>(at), bytes};
  return view;
}

LargeView::LargeView(LargeView&& other) noexcept
    : mapped_(std::exchange(other.mapped_, {})),
      read_(std::move(other.read_)),
      kept_(std::move(other.kept_)) {}

LargeView& LargeView::operator=(LargeView&& other) noexcept {
  std::swap(mapped_, other.mapped_);
  std::swap(read_, other.read_);
  std::swap(kept_, other.kept_);
  return *this;
}

LargeView::~LargeView() {
  if (!mapped_.empty()) ::munmap(const_cast<std::byte*>(mapped_.data()), mapped_.size());
}

}  // namespace warmpool::ipc
