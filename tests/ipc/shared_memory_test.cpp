// What is shared must neither shrink under whoever maps it, nor be believed.
#include "ipc/shared_memory.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <gtest/gtest.h>

#include "ipc/descriptor_passing.hpp"
#include "ipc/worker_page.hpp"
#include "tests/ipc/page.hpp"

namespace warmpool::ipc::test {
namespace {

constexpr std::uint64_t kPageWorker = (std::uint64_t{9} << 16) | 1;

UniqueFd made(std::size_t bytes) {
  auto memory = make_sealed_memory("test", bytes);
  EXPECT_TRUE(memory);
  return std::move(*memory);
}

TEST(SharedMemory, CannotBeResizedByAnybody) {
  const UniqueFd fd = made(4096);
  EXPECT_EQ(::ftruncate(fd.get(), 0), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(::ftruncate(fd.get(), 8192), -1);
  EXPECT_EQ(::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE), -1) << "nor sealed against us";
}

TEST(SharedMemory, IsSeenByBothEnds) {
  const UniqueFd fd = made(8192);
  auto writer = Mapping::of(fd.get(), 8192, Mapping::Access::ReadWrite);
  auto reader = Mapping::of(fd.get(), 8192, Mapping::Access::Read);
  ASSERT_TRUE(writer && reader);
  std::memcpy(writer->data() + 5000, "here", 4);
  EXPECT_EQ(std::memcmp(reader->data() + 5000, "here", 4), 0);
}

TEST(SharedMemory, IsNotMappedBeyondItsEnd) {
  const UniqueFd fd = made(4096);
  const auto mapped = Mapping::of(fd.get(), 4097, Mapping::Access::Read);
  ASSERT_FALSE(mapped);
  EXPECT_NE(mapped.error().text.find("4096 bytes"), std::string::npos) << mapped.error().text;
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const UniqueFd one(ends[0]), other(ends[1]);
  EXPECT_FALSE(Mapping::of(one.get(), 1, Mapping::Access::Read)) << "a socket is no memory";
}

TEST(Descriptors, ComeWithTheFirstByteAndAlone) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const UniqueFd ours(ends[0]), theirs(ends[1]), memory = made(4096);
  char text[] = "abc";
  iovec piece{text, 3};
  ASSERT_EQ(send_with_descriptor(ours.get(), {&piece, 1}, 0, memory.get()), 3);
  ASSERT_EQ(send_with_descriptor(ours.get(), {&piece, 1}, 0, -1), 3);
  UniqueFd came;
  std::array<std::byte, 64> room;
  EXPECT_EQ(receive_with_descriptor(theirs.get(), room, 0, came), 3) << "the rest in another read";
  ASSERT_TRUE(came);
  EXPECT_NE(::fcntl(came.get(), F_GETFD) & FD_CLOEXEC, 0);
  const int first = came.get();
  EXPECT_EQ(receive_with_descriptor(theirs.get(), room, 0, came), 3);
  EXPECT_EQ(came.get(), first);
}

struct Page {
  UniqueFd given;
  PageReader reader;
  static Page make() {
    UniqueFd given;
    auto reader = PageReader::make(kPageWorker, given);
    REQUIRE(reader);
    return {std::move(given), std::move(*reader)};
  }
};

TEST(WorkerPage, TellsWhatItsWorkerStores) {
  const Page page = Page::make();
  EXPECT_EQ(page.reader.read(), PageTallies{});
  auto writer = PageWriter::open(page.given, kPageWorker);
  ASSERT_TRUE(writer) << writer.error().text;
  writer->beat(17);
  writer->gauge(3, 4096);
  writer->begin(0xfeed);
  EXPECT_EQ(page.reader.read(), (PageTallies{1, 17, 0xfeed, 1, 0, 0, 3, 4096}));
  writer->end(250);
  writer->beat(18);
  EXPECT_EQ(page.reader.read(), (PageTallies{2, 18, 0, 1, 1, 250, 3, 4096}));
}

TEST(WorkerPage, IsRefusedWhenItIsNone) {
  const Page page = Page::make();
  EXPECT_FALSE(PageWriter::open(page.given, kPageWorker + 1)) << "another worker's";
  EXPECT_FALSE(PageWriter::open(made(kPageBytes), kPageWorker)) << "zeros";
  EXPECT_FALSE(PageWriter::open(made(64), kPageWorker)) << "too small";
  EXPECT_FALSE(PageWriter::open(UniqueFd(), kPageWorker)) << "nothing came";
}

// By the bytes of the page alone, as a program in another language writes them.
TEST(WorkerPage, IsLaidOutAsItsTableSays) {
  const Page page = Page::make();
  auto raw = Mapping::of(page.given.get(), kPageBytes, Mapping::Access::ReadWrite);
  ASSERT_TRUE(raw);
  EXPECT_EQ(std::memcmp(raw->data(), "WPPAGE01", 8), 0);
  EXPECT_EQ(raw->data()[8], std::byte{1});
  const std::uint64_t beats = 7, token = 0x1122334455667788;
  std::memcpy(raw->data() + 64, &beats, 8);
  std::memcpy(raw->data() + 80, &token, 8);
  EXPECT_EQ(page.reader.read().beats, 7U);
  EXPECT_EQ(page.reader.read().running, token);
}

TEST(ProtocolPage, HasTheLayoutOfAWorkersPage) {
  const auto page = table_after(protocol_page(), "## 10. The page of a worker");
  ASSERT_EQ(page.size(), page_rows().size());
  std::size_t end = 0;
  for (std::size_t i = 0; i < page.size(); ++i) {
    const LayoutRow& row = page_rows()[i];
    const char* writer = row.offset >= 64 && row.offset < 2048 ? "worker" : "daemon";
    EXPECT_EQ(page[i], (Cells{std::to_string(row.offset), std::string(row.type), writer,
                              std::string(row.name), std::string(row.meaning)}));
    EXPECT_GE(row.offset, end) << row.name << " lies on the one before";
    EXPECT_EQ(row.offset % row.bytes, 0U) << row.name;
    end = row.offset + row.bytes;
  }
}

}  // namespace
}  // namespace warmpool::ipc::test
