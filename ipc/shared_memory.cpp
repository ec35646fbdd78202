// Boost.Interprocess maps anything that tells a descriptor and a mode, so a memfd needs no more
// than the few lines of MappedFd; its own shared_memory_object would want a name in /dev/shm.
#include "ipc/shared_memory.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <boost/interprocess/mapped_region.hpp>

namespace warmpool::ipc {
namespace {

namespace interprocess = boost::interprocess;

struct MappedFd {
  int fd;
  interprocess::mapping_handle_t get_mapping_handle() const { return {fd, false}; }
};

Error failed(const std::string& what, int code) {
  return {code, what + ": " + std::strerror(code)};
}

}  // namespace

Result<UniqueFd> make_sealed_memory(const char* name, std::size_t bytes) {
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return failed("cannot make shared memory", errno);
  if (::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) {
    return failed("cannot size shared memory", errno);
  }
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return failed("cannot seal shared memory", errno);
  }
  return fd;
}

class Mapping::Region : public interprocess::mapped_region {
 public:
  using mapped_region::mapped_region;
};

Mapping::Mapping(std::unique_ptr<Region> region) : region_(std::move(region)) {}
Mapping::Mapping(Mapping&&) noexcept = default;
Mapping& Mapping::operator=(Mapping&&) noexcept = default;
Mapping::~Mapping() = default;

Result<Mapping> Mapping::of(int fd, std::size_t bytes, Access access) {
  struct stat found {};
  if (::fstat(fd, &found) != 0) return failed("cannot look at shared memory", errno);
  // Beyond the end of what is mapped there is no memory but SIGBUS.
  if (!S_ISREG(found.st_mode) || static_cast<std::size_t>(found.st_size) < bytes) {
    return Error{EINVAL, "shared memory has " + std::to_string(found.st_size) +
                             " bytes, it must have " + std::to_string(bytes)};
  }
  const auto mode = access == Access::Read ? interprocess::read_only : interprocess::read_write;
  try {
    return Mapping(std::make_unique<Region>(MappedFd{fd}, mode, 0, bytes));
  } catch (const interprocess::interprocess_exception& error) {
    return failed("cannot map shared memory", error.get_native_error());
  }
}

std::byte* Mapping::data() const { return static_cast<std::byte*>(region_->get_address()); }
std::size_t Mapping::bytes() const { return region_->get_size(); }

}  // namespace warmpool::ipc
