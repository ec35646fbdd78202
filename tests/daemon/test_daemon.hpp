// A daemon in the test's own process and thread, with clients that speak raw frames.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "daemon/daemon.hpp"
#include "ipc/codec.hpp"
#include "tests/daemon/fake_processes.hpp"
#include "tests/ipc/temporary_directory.hpp"
#include "tests/store/fake_store.hpp"

namespace warmpool::daemon {

class RecordingLog : public Log {
 public:
  void write(LogLevel level, std::string_view line) override {
    if (level >= LogLevel::Info) lines.emplace_back(line);
  }
  bool enabled(LogLevel level) const override { return level >= least; }
  void set_level(std::string_view) override {}
  void flush() override {}
  Result<void> reopen() override { return {}; }
  bool has(std::string_view part) const;
  LogLevel least = LogLevel::Trace;
  std::vector<std::string> lines;
};

// The kernel's clocks, and what a test lets pass at once.
class PassingTime : public SystemTime {
 public:
  std::int64_t steady_ns() override {
    return (stopped_at_.ns != 0 ? stopped_at_.ns : SystemTime::steady_ns()) + passed_.ns;
  }
  WallTime wall() override { return {SystemTime::wall().ns + passed_.ns}; }
  void pass(Duration duration) { passed_ = passed_ + duration; }
  // From here on nothing passes by itself.
  void stop() { stopped_at_ = {SystemTime::steady_ns()}; }

 private:
  Duration passed_, stopped_at_;
};

// One class "worker" of two workers for echo, fail and hang.
Configuration small_configuration();

// One end of a connection, blocking never: bytes go in and out when the daemon turns.
class RawClient {
 public:
  explicit RawClient(ipc::UniqueFd fd);

  void send_bytes(std::string_view bytes);
  void send(const ipc::Header& header, ipc::Bytes meta = {}, std::string_view payload = {});
  template <class Meta>
  void send_meta(const ipc::Header& header, const Meta& meta, std::string_view payload = {}) {
    std::string bytes;
    ipc::encode(meta, bytes);
    send(header, ipc::bytes_of(bytes), payload);
  }
  // These bytes at once, with descriptors beside the first of them.
  void send_with(std::string_view bytes, std::span<const int> fds);
  void hello(std::uint64_t features = ipc::feature::kAll & ~ipc::feature::kStamps);
  // Names type 0 on this connection.
  void name_type(std::string_view name, std::uint16_t number = 0);
  void submit(std::string_view payload, std::uint64_t token, std::uint8_t flags = ipc::flag::kWait,
              const ipc::SubmitMeta& meta = {}, std::uint16_t type = 0);
  void ask(ipc::Verb verb, std::vector<ipc::Argument> arguments, std::uint64_t token,
           std::string_view payload = {});

  struct Received {
    ipc::Header header;
    std::string meta, payload;
    std::shared_ptr<ipc::UniqueFd> descriptor;  // that came beside it; null: none
  };
  // What has come so far.
  void receive();
  const Received* find(ipc::Kind kind, std::uint64_t token) const;
  const Received* find(ipc::Kind kind) const;
  std::size_t count(ipc::Kind kind) const;
  bool closed() const { return closed_; }
  // Of an error or refused frame.
  static std::uint16_t code_of(const Received& received);
  static std::string text_of(const Received& received);
  void vanish() { fd_.reset(); }

  std::vector<Received> frames;

 private:
  ipc::UniqueFd fd_;
  ipc::FrameReader reader_;
  ipc::CameDescriptors came_;
  std::string unsent_;
  bool closed_ = false;
};

enum class UseSubmitFifo : bool { No, Yes };

class TestDaemon {
 public:
  // `durable`: in the place of the fake one. Attempts that strangers hold are remembered in
  // `attempts_path`, if it is not empty.
  explicit TestDaemon(Configuration configuration = small_configuration(),
                      UseSubmitFifo submit_fifo = UseSubmitFifo::No, Store* durable = nullptr,
                      const std::string& attempts_path = {});

  RawClient connect();  // says hello and is welcomed
  RawClient connect_silent();
  // Turns until it holds. False: it did not, for all our patience.
  bool until(const std::function<bool()>& holds);
  bool until(RawClient& client, const std::function<bool()>& holds);
  // The document that a verb is answered with.
  std::string ask(RawClient& client, ipc::Verb verb, std::vector<ipc::Argument> arguments = {});

  ipc::test::TemporaryDirectory directory;
  RecordingLog log;
  PassingTime time;
  FakeProcesses processes;
  FakeStore store;
  ServiceNotifier notifier{Environment{}};
  Daemon daemon;

 private:
  std::unique_ptr<Watch> wake_often(const ipc::UniqueFd& timer);

  std::uint64_t last_token_ = 1'000'000;
};

}  // namespace warmpool::daemon
