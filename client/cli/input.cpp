#include "client/cli/input.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include "ipc/large_body.hpp"

namespace warmpool::cli {
namespace {

constexpr std::size_t kStep = 256U << 10;

Error too_long(const std::string& name, std::uint64_t bytes_max, const char* option) {
  return {0, name + " has more than " + option + " (" + std::to_string(bytes_max) +
                 " bytes); give a path as the payload instead, or raise it"};
}

// `begin`: what was read before.
Result<Payload> read_large(int fd, const std::string& name, const std::string& begin,
                           std::uint64_t large_max) {
  auto writer = ipc::LargeWriter::make();
  if (!writer) return writer.error();
  std::string piece = begin;
  while (true) {
    if (auto written = writer->append(ipc::bytes_of(piece)); !written) return written.error();
    if (writer->bytes() > large_max) return too_long(name, large_max, "large_bytes_max");
    piece.resize(kStep);
    const ssize_t got = ::read(fd, piece.data(), piece.size());
    const int error = errno;
    piece.resize(static_cast<std::size_t>(got < 0 ? 0 : got));
    if (got < 0 && error != EINTR) {
      return Error{error, "cannot read " + name + ": " + std::strerror(error)};
    }
    if (got == 0) break;
  }
  const auto bytes = writer->bytes();
  auto sealed = writer->seal();
  if (!sealed) return sealed.error();
  return Payload{{}, std::make_shared<const ipc::UniqueFd>(std::move(*sealed)), bytes};
}

}  // namespace

Result<Payload> read_payload(int fd, const std::string& name, std::uint64_t bytes_max,
                             std::uint64_t large_max) {
  std::string all;
  while (all.size() <= bytes_max) {
    const std::size_t had = all.size();
    all.resize(had + kStep);
    const ssize_t got = ::read(fd, all.data() + had, kStep);
    const int error = errno;
    all.resize(had + static_cast<std::size_t>(got < 0 ? 0 : got));
    if (got < 0 && error != EINTR) {
      return Error{error, "cannot read " + name + ": " + std::strerror(error)};
    }
    if (got == 0) return Payload{std::move(all)};
  }
  if (large_max <= bytes_max) return too_long(name, bytes_max, "payload_bytes_max");
  return read_large(fd, name, all, large_max);
}

Result<std::string> read_all(int fd, const std::string& name, std::uint64_t bytes_max) {
  std::string all;
  while (true) {
    const std::size_t had = all.size();
    all.resize(had + kStep);
    const ssize_t got = ::read(fd, all.data() + had, kStep);
    all.resize(had + static_cast<std::size_t>(got < 0 ? 0 : got));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error{errno, "cannot read " + name + ": " + std::strerror(errno)};
    if (got == 0) return all;
    if (all.size() > bytes_max) return too_long(name, bytes_max, "payload_bytes_max");
  }
}

Result<ipc::UniqueFd> open_to_read(const std::string& path) {
  ipc::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return Error{errno, "cannot open " + path + ": " + std::strerror(errno)};
  return fd;
}

}  // namespace warmpool::cli
