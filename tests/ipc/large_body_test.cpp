// Bodies that travel as descriptors: made, checked, written beside their frames, and mapped.
#include "ipc/large_body.hpp"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "ipc/channel.hpp"
#include "ipc/codec.hpp"
#include "tests/ipc/temporary_directory.hpp"

namespace warmpool::ipc::test {
namespace {

constexpr Header kPlain{.kind = Kind::Done, .id = 1};

SharedFd shared(std::string_view bytes) {
  return std::make_shared<const UniqueFd>(std::move(*sealed_copy(bytes_of(bytes))));
}

std::string text_of_descriptor(int fd, std::uint64_t bytes) {
  const auto view = LargeView::of(fd, bytes);
  return view ? std::string(text_of(view->bytes())) : view.error().text;
}

TEST(LargeBody, IsSealedAgainstAllChange) {
  const auto fd = sealed_copy(bytes_of(std::string_view("four")));
  ASSERT_TRUE(fd);
  EXPECT_TRUE(check_sealed(fd->get(), 4));
  EXPECT_EQ(::write(fd->get(), "x", 1), -1);
  EXPECT_EQ(::ftruncate(fd->get(), 1), -1);
  EXPECT_EQ(::ftruncate(fd->get(), 5), -1);
  EXPECT_FALSE(check_sealed(fd->get(), 3));
  EXPECT_FALSE(check_sealed(fd->get(), 5));
}

TEST(LargeBody, ThatCannotBeReadIsNone) {
  const auto fd = sealed_copy(bytes_of(std::string_view("four")));
  ASSERT_TRUE(fd);
  const auto path = "/proc/self/fd/" + std::to_string(fd->get());
  // The seals forbid to open it for writing from 6.x on; before that it is one that only writes.
  const UniqueFd write_only(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (write_only) {
    EXPECT_FALSE(check_sealed(write_only.get(), 4));
  }
  const UniqueFd only_named(::open(path.c_str(), O_PATH | O_CLOEXEC));
  ASSERT_TRUE(only_named);
  EXPECT_FALSE(check_sealed(only_named.get(), 4));
  const UniqueFd read_only(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_TRUE(check_sealed(read_only.get(), 4));
}

constexpr int kAllSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

TEST(LargeBody, WithHolesIsNone) {
  constexpr std::uint64_t kBytes = 64 * 1024;
  const UniqueFd fd(::memfd_create("holes", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::write(fd.get(), "four", 4), 4);
  ASSERT_EQ(::ftruncate(fd.get(), kBytes), 0);
  ASSERT_EQ(::fcntl(fd.get(), F_ADD_SEALS, kAllSeals), 0);
  const auto checked = check_sealed(fd.get(), kBytes);
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().text.find("write it whole"), std::string::npos);
  EXPECT_EQ(::lseek(fd.get(), 0, SEEK_CUR), 4) << "its offset is the sender's";
  const UniqueFd empty(::memfd_create("empty", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::fcntl(empty.get(), F_ADD_SEALS, kAllSeals), 0);
  EXPECT_TRUE(check_sealed(empty.get(), 0));
}

TEST(LargeBody, IsWrittenPieceByPiece) {
  auto writer = LargeWriter::make();
  ASSERT_TRUE(writer);
  ASSERT_TRUE(writer->append(bytes_of(std::string_view("fo"))));
  ASSERT_TRUE(writer->append(bytes_of(std::string_view("ur"))));
  EXPECT_EQ(writer->bytes(), 4U);
  const auto fd = writer->seal();
  ASSERT_TRUE(fd);
  EXPECT_EQ(text_of_descriptor(fd->get(), 4), "four");
}

TEST(LargeView, OfAFileIsACopyThatNobodyCanCutShort) {
  const TemporaryDirectory directory;
  const UniqueFd file(::open((directory / "body").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::write(file.get(), "four", 4), 4);
  const auto view = LargeView::of(file.get(), 4);
  ASSERT_TRUE(view);
  ASSERT_EQ(::ftruncate(file.get(), 0), 0);
  EXPECT_EQ(text_of(view->bytes()), "four") << "a mapping would end this process with SIGBUS";
  EXPECT_FALSE(LargeView::of(file.get(), 4)) << "it is shorter now";
}

TEST(LargeBody, OfAFileIsASealedCopyAndOfWhatIsSealedItself) {
  const TemporaryDirectory directory;
  const std::string bytes = std::string(3U << 20, 'x') + "end";
  UniqueFd file(::open((directory / "body").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::write(file.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  EXPECT_FALSE(sealed_or_copied(UniqueFd(::dup(file.get())), bytes.size() + 1));
  EXPECT_FALSE(sealed_or_copied(UniqueFd(::dup(file.get())), bytes.size() - 1));
  auto copied = sealed_or_copied(std::move(file), bytes.size());
  ASSERT_TRUE(copied);
  EXPECT_TRUE(check_sealed(copied->get(), bytes.size()));
  EXPECT_TRUE(text_of_descriptor(copied->get(), bytes.size()) == bytes);
  const int number = copied->get();
  const auto same = sealed_or_copied(std::move(*copied), bytes.size());
  ASSERT_TRUE(same);
  EXPECT_EQ(same->get(), number);
}

TEST(LargeView, OfWhatIsNoFileIsNone) {
  const UniqueFd place(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd zero(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(LargeView::of(place.get(), 4));
  EXPECT_FALSE(LargeView::of(zero.get(), 4));
}

TEST(OutBuffer, ADescriptorGoesWithTheFirstByteOfItsFrameAlone) {
  OutBuffer out;
  out.append(kPlain, {}, bytes_of(std::string_view("before")));
  const auto fd = shared("four");
  out.append(kPlain, {}, Bytes{}, fd);
  out.append(kPlain, {}, bytes_of(std::string_view("behind")));
  std::array<iovec, OutBuffer::kPiecesMax> pieces;
  ASSERT_EQ(out.gather(pieces), 1U);
  EXPECT_EQ(pieces[0].iov_len, kHeaderBytes + 6);
  EXPECT_EQ(out.beside(), -1);
  out.consume(kHeaderBytes + 6);
  ASSERT_GE(out.gather(pieces), 1U);
  EXPECT_EQ(out.beside(), fd->get());
  out.consume(1);
  EXPECT_EQ(out.beside(), -1) << "it went with the first byte";
  EXPECT_EQ(fd.use_count(), 1) << "and is held no longer";
  out.consume(out.bytes());
  EXPECT_TRUE(out.empty());
}

TEST(OutBuffer, ASourceIsReadInPieces) {
  const std::string bytes(700'000, 'x');
  OutBuffer out;
  out.append(kPlain, {}, shared(bytes), bytes.size(), bytes_of(std::string_view("behind")));
  out.append(kPlain, {}, bytes_of(std::string_view("next")));
  EXPECT_EQ(out.bytes(), 2 * kHeaderBytes + bytes.size() + 10);
  std::string written;
  std::size_t most = 0;
  std::array<iovec, OutBuffer::kPiecesMax> pieces;
  while (!out.empty()) {
    ASSERT_TRUE(out.load());
    const auto count = out.gather(pieces);
    ASSERT_GT(count, 0U);
    std::size_t total = 0;
    for (std::size_t i = 0; i < count; ++i) {
      written.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
      total += pieces[i].iov_len;
    }
    most = std::max(most, total);
    out.consume(total);
  }
  EXPECT_LE(most, 300'000U) << "all of it was in memory";
  EXPECT_EQ(written.substr(kHeaderBytes, bytes.size() + 6), bytes + "behind");
  EXPECT_TRUE(written.ends_with("next"));
}

TEST(OutBuffer, ASourceThatIsShorterThanSaidCannotBeLoaded) {
  OutBuffer out;
  out.append(kPlain, {}, shared("four"), 5, {});
  std::array<iovec, OutBuffer::kPiecesMax> pieces;
  out.gather(pieces);
  out.consume(kHeaderBytes);
  EXPECT_TRUE(out.load());
  out.consume(4);
  EXPECT_FALSE(out.load());
}

class LargeChannel : public testing::Test {
 protected:
  LargeChannel() {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    worker.emplace(UniqueFd(ends[0]), rules(Party::Daemon, Party::Worker));
    daemon.emplace(UniqueFd(ends[1]), rules(Party::Worker, Party::Daemon));
  }
  static FrameRules rules(Party from, Party to) {
    return after_hello(before_hello(from, to), kFrameBytesMax, feature::kAll);
  }
  std::optional<Channel> worker, daemon;
};

TEST_F(LargeChannel, DescriptorsComeInTheOrderOfTheirFrames) {
  daemon->keep_descriptors(true);
  for (const std::string_view text : {"first", "second", "third"}) {
    std::string meta;
    encode(DoneMeta{static_cast<std::uint32_t>(text.size())}, meta);
    worker->send(kPlain, {}, bytes_of(std::string_view("between")));
    worker->send(kPlain, bytes_of(meta), shared(text));
  }
  ASSERT_EQ(worker->flush(kNoDeadline), Channel::State::Idle);
  Frame frame;
  for (const std::string_view text : {"first", "second", "third"}) {
    ASSERT_EQ(daemon->receive(frame, kNoDeadline), Channel::State::Frame);
    EXPECT_EQ(frame.header.descriptors, 0);
    ASSERT_EQ(daemon->receive(frame, kNoDeadline), Channel::State::Frame);
    ASSERT_EQ(frame.header.descriptors, 1);
    const auto came = daemon->take_descriptor();
    ASSERT_TRUE(came);
    EXPECT_EQ(text_of_descriptor(came.get(), text.size()), text);
  }
  EXPECT_FALSE(daemon->take_descriptor());
}

TEST(FrameRules, ADescriptorNeedsTheFeature) {
  Header header = kPlain;
  header.descriptors = 1;
  auto rules = after_hello(before_hello(Party::Worker, Party::Daemon), 1'000, feature::kAll);
  EXPECT_TRUE(check_header(header, rules));
  rules.features &= ~feature::kLarge;
  EXPECT_FALSE(check_header(header, rules));
  header.descriptors = 2;
  rules.features |= feature::kLarge;
  EXPECT_FALSE(check_header(header, rules));
}

}  // namespace
}  // namespace warmpool::ipc::test
