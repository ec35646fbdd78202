// Memory that two processes see at once: a memfd, or a file, and a mapping of it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "ipc/fd.hpp"
#include "pool/result.hpp"

namespace warmpool::ipc {

// What is shared is laid out by bytes, and each word is read and written whole.
static_assert(std::endian::native == std::endian::little,
              "pages and boards are little-endian: give their accessors a byte swap first");

// A memfd of `bytes` zero bytes whose size nobody can change any more: who maps it is never ended
// by SIGBUS. Source: memfd_create(2), fcntl(2) F_ADD_SEALS.
// Errors: errno; ENOSYS and EPERM where a kernel or a filter does not allow it.
Result<UniqueFd> make_sealed_memory(const char* name, std::size_t bytes);

// Owns: the mapping, not the descriptor, which may be closed meanwhile.
// Threads: what is mapped is shared by definition; see who writes which word.
class Mapping {
 public:
  enum class Access : std::uint8_t { Read, ReadWrite };

  // The first `bytes` bytes of `fd`. Errors: errno, and EINVAL when it has fewer bytes.
  static Result<Mapping> of(int fd, std::size_t bytes, Access access);
  Mapping(Mapping&&) noexcept;
  Mapping& operator=(Mapping&&) noexcept;
  ~Mapping();

  std::byte* data() const;
  std::size_t bytes() const;

 private:
  class Region;  // of Boost, whose headers stay out of ours
  explicit Mapping(std::unique_ptr<Region> region);
  std::unique_ptr<Region> region_;
};

}  // namespace warmpool::ipc
