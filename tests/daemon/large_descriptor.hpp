// A daemon and a client that hands it payloads as descriptors.
#pragma once

#include <array>
#include <dirent.h>
#include <functional>
#include <memory>
#include <string>
#include <unistd.h>

#include "ipc/large_body.hpp"
#include "tests/daemon/test_daemon.hpp"
#include "tests/support/transport.hpp"

namespace warmpool::daemon {

using ipc::Kind;

inline std::size_t open_descriptors() {
  std::size_t count = 0;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir("/proc/self/fd"), ::closedir);
  while (::readdir(entries.get()) != nullptr) ++count;
  return count;
}

inline std::string pattern(std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i)
    text[i] = static_cast<char>('a' + i * 7 % 26 + i / 4096 % 3);
  return text;
}

inline ipc::UniqueFd sealed(std::string_view bytes) {
  return std::move(*ipc::sealed_copy(ipc::bytes_of(bytes)));
}

inline std::string submit_bytes(std::uint32_t bytes, std::uint64_t token,
                                std::uint8_t descriptors = 1, ipc::SubmitMeta meta = {},
                                std::string_view payload = {}) {
  meta.large_bytes = bytes;
  std::string encoded;
  ipc::encode(meta, encoded);
  ipc::Header header{
      .kind = Kind::Submit, .flags = ipc::flag::kWait, .token = token, .descriptors = descriptors};
  header.meta_bytes = static_cast<std::uint16_t>(encoded.size());
  header.body_bytes = static_cast<std::uint32_t>(encoded.size() + payload.size());
  std::string frame(ipc::kHeaderBytes, '\0');
  ipc::encode_header(header, std::span<std::byte, ipc::kHeaderBytes>(
                                 reinterpret_cast<std::byte*>(frame.data()), ipc::kHeaderBytes));
  return frame + encoded + std::string(payload);
}

inline Configuration configured(const std::function<void(Options&)>& change) {
  auto configuration = small_configuration();
  change(configuration.pool.values);
  return configuration;
}

class LargeDescriptor : public testing::Test {
 protected:
  void SetUp() override {
    if (test::over_fifos()) GTEST_SKIP() << "no descriptor goes through a FIFO";
    begin();
  }
  static ipc::SubmitMeta later() {
    ipc::SubmitMeta meta;
    meta.delay = minutes(10);
    return meta;
  }
  // The first waits, the second is refused.
  void expect_room_for_one() {
    submit(large, 1, later());
    ASSERT_TRUE(comes(Kind::Accepted, 1));
    submit(large, 2);
    ASSERT_TRUE(comes(Kind::Refused, 2));
    EXPECT_EQ(RawClient::code_of(*client->find(Kind::Refused, 2)),
              static_cast<int>(Refusal::LargeFull));
  }
  void begin(const Configuration& configuration = small_configuration()) {
    daemon.reset();
    daemon = std::make_unique<TestDaemon>(configuration);
    client.emplace(daemon->connect());
    name_types(*client);
    ASSERT_TRUE(daemon->until([&] {
      std::size_t ready = 0;
      for (const auto& [id, worker] : daemon->processes.workers) ready += worker.features != 0;
      return ready == 2;
    }));
    open_before = open_descriptors();
  }
  static void name_types(RawClient& who) {
    who.name_type("echo", 0);
    who.name_type("fail", 1);
    who.name_type("hang", 2);
  }
  bool until(const std::function<bool()>& holds) { return daemon->until(*client, holds); }
  bool comes(Kind kind, std::uint64_t token) {
    return until([&] { return client->find(kind, token) != nullptr; });
  }
  bool comes(Kind kind) {
    return until([&] { return client->find(kind) != nullptr; });
  }
  // All that was open in the beginning is, and nothing else but the timer of until().
  bool all_closed() {
    return until([&] {
      for (auto& frame : client->frames) frame.descriptor.reset();
      return open_descriptors() == open_before + 1;
    });
  }
  void submit(std::string_view bytes, std::uint64_t token, const ipc::SubmitMeta& meta = {}) {
    const auto fd = sealed(bytes);
    const int fds[] = {fd.get()};
    client->send_with(submit_bytes(static_cast<std::uint32_t>(bytes.size()), token, 1, meta), fds);
  }
  // How often `large` has come to a worker.
  std::size_t given() const {
    std::size_t sum = 0;
    for (const auto& [id, worker] : daemon->processes.workers) {
      for (const auto& payload : worker.larges) sum += payload == large;
    }
    return sum;
  }
  void expect_interrupted() {
    const auto& settled = *client->find(Kind::Settled, 1);
    const auto meta = ipc::decode<ipc::SettledMeta>(ipc::bytes_of(settled.meta));
    EXPECT_EQ(meta->verdict, Verdict::Dead);
    EXPECT_EQ(meta->cause, EndCause::Interrupted);
    EXPECT_EQ(meta->charged_failures, 0);
  }
  // What came is refused with this code, the connection goes on, and nothing stays open.
  void expect_refused(const ipc::UniqueFd& fd, std::uint32_t said, Refusal code) {
    const auto before = open_descriptors();
    const int fds[] = {fd.get()};
    client->send_with(submit_bytes(said, 77), fds);
    ASSERT_TRUE(comes(Kind::Refused, 77));
    EXPECT_EQ(RawClient::code_of(*client->find(Kind::Refused, 77)), static_cast<int>(code))
        << RawClient::text_of(*client->find(Kind::Refused, 77));
    client->submit("small", 78);
    EXPECT_TRUE(comes(Kind::Settled, 78)) << "the connection goes on";
    EXPECT_EQ(open_descriptors(), before);
  }
  // The connection ends with 501, and nothing stays open but its two ends.
  void expect_broken() {
    ASSERT_TRUE(comes(Kind::Error));
    EXPECT_EQ(RawClient::code_of(*client->find(Kind::Error)), static_cast<int>(Refusal::BadFrame));
    ASSERT_TRUE(until([&] { return client->closed(); }));
    EXPECT_EQ(open_descriptors(), open_before - 1) << "the daemon's end is closed";
  }

  std::unique_ptr<TestDaemon> daemon;
  std::optional<RawClient> client;
  std::size_t open_before = 0;
  const std::string large = pattern(300'000);
};

}  // namespace warmpool::daemon
