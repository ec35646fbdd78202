// The daemon's end of a worker's channel, in the hands of a test.
#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <vector>

#include "ipc/codec.hpp"
#include "ipc/fd.hpp"
#include "ipc/fifo.hpp"
#include "ipc/frame_reader.hpp"
#include "ipc/out_buffer.hpp"
#include "ipc/worker_page.hpp"
#include "tests/support/patience.hpp"
#include "tests/support/transport.hpp"
#include "tests/worker/call.hpp"
#include "worker/worker.hpp"

namespace warmpool::worker::testing {

struct Received {
  ipc::Header header;
  std::string meta, payload;

  ipc::Kind kind() const { return header.kind; }
  AttemptKey key() const { return ipc::key_of(header); }
  template <class Meta>
  Meta as() const {
    return ipc::decode<Meta>(ipc::bytes_of(meta)).value();
  }
};

struct Scene {
  unsigned credits = 16;
  std::chrono::nanoseconds heartbeat = std::chrono::hours(1);
  std::uint64_t features = test::carried_features();
  std::uint32_t frame_bytes_max = 2U << 20;
  std::uint64_t result_bytes_max = 1U << 20;
  // SOCK_SEQPACKET keeps the writes of the worker apart, so that they can be counted.
  int socket_type = SOCK_STREAM;
  bool welcome = true;
  bool page = false;          // comes with welcome
  std::uint64_t page_of = 0;  // the worker that it names; 0: the right one
};

// Both ends of a channel, a socket or FIFOs as test::over_fifos() says, and nothing at the other
// end yet.
struct Ends {
  ipc::UniqueFd ours, ours_out;
  ipc::UniqueFd theirs;  // of FIFOs: none, they are opened by name
  static Ends make(int type);
  // How a worker is told, where `number` is what `theirs` is in it.
  std::vector<std::string> environment(int number) const;
  // As a worker in this process gets it; `theirs` is given away.
  void give_to(Settings& settings);

  struct Names {
    Scratch scratch;
    ipc::RuntimeDirectory directory;
    std::optional<ipc::FifoPair> fifos;
  };
  std::unique_ptr<Names> names;
};

// Owns: the channel and, with a Worker, the thread that runs it. Every wait fails the test after
// kPatience.
class FakeDaemon {
 public:
  static constexpr auto kPatience = test::patience();

  explicit FakeDaemon(Worker& worker, Scene scene = {});
  // Of a worker that somebody else runs at the other end.
  FakeDaemon(Ends ends, Scene scene = {});
  ~FakeDaemon();
  FakeDaemon(const FakeDaemon&) = delete;
  FakeDaemon& operator=(const FakeDaemon&) = delete;

  const Received& hello() const { return hello_; }

  // Queues; flush() writes all in one.
  AttemptKey add_assign(std::string_view type, std::string_view payload,
                        const ipc::AssignMeta& meta = {}, Content content = Content::Bytes,
                        std::uint8_t descriptors = 0);
  void add(const ipc::Header& header, std::string_view meta = {}, std::string_view payload = {});
  void flush();
  AttemptKey assign(std::string_view type, std::string_view payload = {},
                    const ipc::AssignMeta& meta = {}, Content content = Content::Bytes);
  // With `fd` beside it, which holds the payload.
  AttemptKey assign_beside(std::string_view type, int fd, std::uint32_t bytes);
  void send(const ipc::Header& header, std::string_view meta = {}, std::string_view payload = {});
  void send_raw(std::string_view bytes);
  void send_run(ipc::Kind kind, const AttemptKey& key) { send(ipc::run_header(kind, key)); }
  void retire() { send({.kind = ipc::Kind::Retire}); }

  // The next frame. Nothing, and a failure, when none comes.
  Received next();
  // Nothing when the worker closed its end.
  std::optional<Received> next_or_end();
  // Until something is there to be read, which stays there.
  bool wait_readable() const;
  std::size_t reads() const { return reads_; }
  // What the worker tells in its page.
  ipc::PageTallies tallies() const { return page_->read(); }
  // Everything that the worker sent so far has been taken, and it is up to date with us.
  void expect_quiet();

  void hang_up() { ends_.ours.reset(), ends_.ours_out.reset(); }
  // What run() returned.
  int status();
  bool runs();

 private:
  void greet();
  // Of a new one its name is queued.
  std::uint16_t number_of(std::string_view type);
  ssize_t write_some(iovec* pieces, std::size_t count);

  Scene scene_;
  Ends ends_;
  ipc::UniqueFd beside_;  // goes with the next write
  std::optional<ipc::PageReader> page_;
  ipc::FrameReader reader_;
  ipc::OutBuffer out_;
  Received hello_;
  std::vector<std::string> type_names_;
  std::uint64_t tasks_ = 0;
  std::size_t reads_ = 0;
  std::future<int> run_;
};

// A door that a handler waits at until the test opens it, and the other way round.
class Gate {
 public:
  void open() { opened_.set_value(); }
  void wait() {
    if (future_.wait_for(FakeDaemon::kPatience) != std::future_status::ready) std::abort();
  }

 private:
  std::promise<void> opened_;
  std::shared_future<void> future_ = opened_.get_future().share();
};

}  // namespace warmpool::worker::testing
