// A daemon that says what a test tells it to, over a real socket.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "ipc/channel.hpp"
#include "ipc/codec.hpp"
#include "ipc/type_names.hpp"

namespace warmpool::fake {

// A frame that owns what it holds.
struct Got {
  ipc::Header header;
  std::string meta, payload;
  ipc::SharedFd descriptor{};  // that came beside it
  ipc::Kind kind() const { return header.kind; }
  std::uint64_t token() const { return header.token; }
};

struct Limits {
  std::uint64_t payload_bytes_max = 1U << 20;
  std::uint64_t in_flight_max = 100'000;
  std::uint32_t frame_bytes_max = 32U << 20;
  std::uint64_t features = ipc::feature::kOfClient;
  std::uint32_t large_bytes_max = 0;
};

// One accepted connection, in the fake's thread.
class Peer {
 public:
  explicit Peer(int fd);

  // Takes hello and answers with welcome.
  bool welcome(const Limits& limits = {});
  // The next frame; none when the client has gone or the test has ended. Type names are learnt on
  // the way, pings are answered.
  std::optional<Got> next();
  // The next `count` frames of this kind; the others are dropped.
  std::vector<Got> next(ipc::Kind kind, std::size_t count);
  std::string type_of(const Got& submit) const;
  ipc::SubmitMeta submit_meta(const Got& submit) const;

  void accept(const Got& submit, std::uint64_t task, bool duplicate = false);
  void refuse(const Got& frame, Refusal code, const std::string& text, Duration retry_after = {});
  void settle(const Got& frame, std::uint64_t task, const std::string& result,
              const ipc::SettledMeta& meta = {}, Content content = Content::Utf8,
              std::uint16_t attempt = 1);
  void progress(const Got& frame, std::uint64_t task, std::uint16_t permille,
                const std::string& partial = "", Content content = Content::Utf8);
  void cancelled(const Got& cancel, std::uint64_t task);
  void reply(const Got& request, const std::string& document);
  void event(const Got& request, std::uint64_t number, const std::string& document,
             bool gap = false);
  // Writes all that is queued, or gives up with the test.
  void flush();
  void raw(const std::string& bytes);
  // Nobody finds the daemon from here on.
  void unlink_socket() const;

 private:
  ipc::Channel channel_;
  int fd_;
  ipc::TypeNames types_;
};

// Owns: a directory of its own with a socket in it, and a thread. Connection n is served by script
// n, the last script by all that follow; a connection ends with its script.
class Daemon {
 public:
  using Script = std::function<void(Peer&)>;
  explicit Daemon(std::vector<Script> scripts);
  explicit Daemon(Script script) : Daemon(std::vector<Script>{std::move(script)}) {}
  ~Daemon();

  const std::string& socket() const { return socket_; }
  const std::string& directory() const { return directory_; }
  int connections() const { return connections_; }
  // Ends the thread; the scripts have ended then, and what they wrote can be read.
  void join();

 private:
  void serve();

  std::vector<Script> scripts_;
  std::string directory_, socket_;
  ipc::UniqueFd listener_, stop_read_, stop_write_;
  std::atomic<int> connections_ = 0;
  std::thread thread_;
};

// A script that runs every task at once: its result is its payload.
Daemon::Script echoing();

}  // namespace warmpool::fake
