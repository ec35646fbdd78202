// Memory for large payloads that is filled again: whoever has it may read it, and nothing else.
#include "ipc/arena.hpp"

#include <fcntl.h>
#include <string>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "ipc/large_body.hpp"

namespace warmpool::ipc::test {
namespace {

const std::string kFirst(10'000, 'a'), kSecond(10'000, 'b');

Arena arena_of(std::string_view bytes) { return std::move(*Arena::of(bytes_of(bytes))); }

std::string read_from(int fd, std::size_t bytes) {
  std::string text(bytes, '\0');
  EXPECT_EQ(::pread(fd, text.data(), bytes, 0), static_cast<ssize_t>(bytes));
  return text;
}

TEST(Arena, HoldsWhatItWasFilledWithLast) {
  auto arena = arena_of(kFirst);
  EXPECT_EQ(arena.bytes(), kFirst.size());
  EXPECT_EQ(read_from(arena.fd()->get(), kFirst.size()), kFirst);
  const auto seen = Mapping::of(arena.fd()->get(), kFirst.size(), Mapping::Access::Read);
  ASSERT_TRUE(seen);
  for (const auto* text : {&kSecond, &kFirst, &kSecond}) {
    arena.fill(bytes_of(*text));
    EXPECT_EQ(read_from(arena.fd()->get(), text->size()), *text);
    EXPECT_EQ(text_of({seen->data(), seen->bytes()}), *text) << "a mapping that was kept";
  }
}

// Who reads it is neither ended by its owner, nor can it write to what comes after.
TEST(Arena, CannotBeWrittenOrCutByWhoIsGivenIt) {
  const auto arena = arena_of(kFirst);
  const int fd = arena.fd()->get();
  EXPECT_EQ(::pwrite(fd, "x", 1, 0), -1);
  EXPECT_EQ(::ftruncate(fd, 1), -1);
  EXPECT_EQ(::ftruncate(fd, 20'000), -1);
  EXPECT_EQ(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
  EXPECT_EQ(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
  EXPECT_EQ(read_from(fd, kFirst.size()), kFirst);
}

TEST(Arena, IsToldFromAllElse) {
  const auto arena = arena_of(kFirst);
  EXPECT_TRUE(is_arena(arena.fd()->get()));
  EXPECT_TRUE(is_own_arena(arena.fd()->get()));
  EXPECT_TRUE(check_arena(arena.fd()->get(), kFirst.size()));
  EXPECT_FALSE(check_arena(arena.fd()->get(), kFirst.size() - 1));
  EXPECT_FALSE(check_arena(arena.fd()->get(), kFirst.size() + 1));
  EXPECT_FALSE(check_sealed(arena.fd()->get(), kFirst.size()));
  const auto sealed = sealed_copy(bytes_of(kFirst));
  EXPECT_FALSE(is_arena(sealed->get()));
  EXPECT_FALSE(check_arena(sealed->get(), kFirst.size()));
}

TEST(Arena, ThatLacksASealIsNone) {
  for (const int lacking : {F_SEAL_FUTURE_WRITE, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_SEAL}) {
    const UniqueFd fd(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    ASSERT_EQ(::write(fd.get(), "four", 4), 4);
    const int all = F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    ASSERT_EQ(::fcntl(fd.get(), F_ADD_SEALS, all & ~lacking), 0);
    EXPECT_FALSE(is_arena(fd.get())) << lacking;
  }
}

TEST(Arena, OfNothingButHolesIsNone) {
  const UniqueFd fd(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(fd.get(), 1U << 20), 0);
  const int all = F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  ASSERT_EQ(::fcntl(fd.get(), F_ADD_SEALS, all), 0);
  EXPECT_FALSE(check_arena(fd.get(), 1U << 20));
}

TEST(Arena, OfAnotherUserIsNotOurOwn) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root makes files as somebody else";
  ::setfsuid(65'534);
  const auto arena = Arena::of(bytes_of(kFirst));
  ::setfsuid(0);
  ASSERT_TRUE(arena);
  EXPECT_TRUE(is_arena(arena->fd()->get()));
  EXPECT_FALSE(is_own_arena(arena->fd()->get()));
}

TEST(Arena, OutlivesItsOwnerWithWhoHasIt) {
  SharedFd fd;
  {
    const auto arena = arena_of(kFirst);
    fd = arena.fd();
  }
  EXPECT_EQ(read_from(fd->get(), kFirst.size()), kFirst);
}

}  // namespace
}  // namespace warmpool::ipc::test
