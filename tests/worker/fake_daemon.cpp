#include "tests/worker/fake_daemon.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/uio.h>

#include <gtest/gtest.h>

#include "ipc/descriptor_passing.hpp"

namespace warmpool::worker::testing {

using ipc::Kind;

Ends Ends::make(int type) {
  Ends ends;
  if (!test::over_fifos()) {
    int fds[2];
    EXPECT_EQ(0, ::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds));
    ends.ours.reset(fds[0]);
    ends.theirs.reset(fds[1]);
    return ends;
  }
  // A daemon ignores it too.
  std::signal(SIGPIPE, SIG_IGN);
  ends.names = std::make_unique<Names>();
  ends.names->directory =
      std::move(*ipc::RuntimeDirectory::open(ends.names->scratch.path("fifos")));
  auto& fifos =
      ends.names->fifos.emplace(std::move(*ipc::FifoPair::make(ends.names->directory, "worker-0")));
  ends.ours = fifos.take_read_end();
  ends.ours_out = fifos.take_write_end();
  for (const int fd : {ends.ours.get(), ends.ours_out.get()}) {
    EXPECT_EQ(0, ::fcntl(fd, F_SETFL, 0)) << "ours may wait";
  }
  return ends;
}

std::vector<std::string> Ends::environment(int number) const {
  if (!names) return {"WARMPOOL_CHANNEL=" + std::to_string(number)};
  return {"WARMPOOL_FIFO_IN=" + names->fifos->in_path(),
          "WARMPOOL_FIFO_OUT=" + names->fifos->out_path()};
}

void Ends::give_to(Settings& settings) {
  if (!names) {
    settings.channel = theirs.release();
    return;
  }
  const auto open = [](const std::string& path, int mode) {
    return ipc::open_fifo(AT_FDCWD, path, mode, ::geteuid())->release();
  };
  settings.channel = open(names->fifos->in_path(), O_RDONLY);
  settings.channel_out = open(names->fifos->out_path(), O_WRONLY);
}

FakeDaemon::FakeDaemon(Ends ends, Scene scene)
    : scene_(scene),
      ends_(std::move(ends)),
      reader_(ipc::before_hello(ipc::Party::Worker, ipc::Party::Daemon)) {
  ends_.theirs.reset();
  if (scene_.welcome) greet();
}

FakeDaemon::FakeDaemon(Worker& worker, Scene scene)
    : scene_(scene),
      ends_(Ends::make(scene.socket_type)),
      reader_(ipc::before_hello(ipc::Party::Worker, ipc::Party::Daemon)) {
  Settings settings;
  ends_.give_to(settings);
  settings.worker = 0x50001;
  settings.token = 0xfeed'beef'0123'4567;
  settings.credits = scene.credits;
  settings.name = "test";
  run_ = std::async(std::launch::async, [&worker, settings] { return worker.run(settings); });
  if (scene_.welcome) greet();
}

FakeDaemon::~FakeDaemon() { hang_up(); }

void FakeDaemon::greet() {
  hello_ = next();
  ends_.names.reset();  // it has opened both
  const ipc::WelcomeMeta meta{.features = scene_.features,
                              .frame_bytes_max = scene_.frame_bytes_max,
                              .payload_bytes_max = 1U << 20,
                              .in_flight_max = 0,
                              .heartbeat_interval = {scene_.heartbeat.count()},
                              .server = "fake",
                              .result_bytes_max = scene_.result_bytes_max};
  std::string bytes;
  encode(meta, bytes);
  if (scene_.page) {
    const auto owner = scene_.page_of == 0 ? hello_.header.id : scene_.page_of;
    auto page = ipc::PageReader::make(owner, beside_);
    ASSERT_TRUE(page) << page.error().text;
    page_ = std::move(*page);
  }
  const std::uint8_t descriptors = scene_.page ? 1 : 0;
  send({.kind = Kind::Welcome, .descriptors = descriptors}, bytes);
  reader_.set_rules(ipc::after_hello(reader_.rules(), scene_.frame_bytes_max, scene_.features));
}

std::uint16_t FakeDaemon::number_of(std::string_view type) {
  const auto known = std::ranges::find(type_names_, type);
  const auto number = static_cast<std::uint16_t>(known - type_names_.begin());
  if (known != type_names_.end()) return number;
  std::string name;
  encode(ipc::TypeNameMeta{type}, name);
  add({.kind = Kind::TypeName, .type = number}, name);
  type_names_.emplace_back(type);
  return number;
}

AttemptKey FakeDaemon::add_assign(std::string_view type, std::string_view payload,
                                  const ipc::AssignMeta& meta, Content content,
                                  std::uint8_t descriptors) {
  const auto number = number_of(type);
  ++tasks_;
  const AttemptKey key{TaskId{tasks_}, 1, 2, 0x7000 + tasks_};
  auto header = ipc::run_header(Kind::Assign, key);
  header.type = number;
  header.flags = ipc::content_flags(content);
  header.descriptors = descriptors;
  std::string bytes;
  encode(meta, bytes);
  add(header, bytes, payload);
  return key;
}

void FakeDaemon::add(const ipc::Header& header, std::string_view meta, std::string_view payload) {
  out_.append(header, ipc::bytes_of(meta), ipc::bytes_of(payload));
}

void FakeDaemon::flush() {
  while (!out_.empty()) {
    std::array<iovec, ipc::OutBuffer::kPiecesMax> pieces;
    const std::size_t count = out_.gather(pieces);
    const ssize_t bytes = write_some(pieces.data(), count);
    ASSERT_GT(bytes, 0);
    beside_.reset();
    out_.consume(static_cast<std::size_t>(bytes));
  }
}

AttemptKey FakeDaemon::assign(std::string_view type, std::string_view payload,
                              const ipc::AssignMeta& meta, Content content) {
  const AttemptKey key = add_assign(type, payload, meta, content);
  flush();
  return key;
}

// A name that is new goes by itself: what comes beside a frame comes with its first byte.
AttemptKey FakeDaemon::assign_beside(std::string_view type, int fd, std::uint32_t bytes) {
  number_of(type);
  flush();
  beside_.reset(::dup(fd));
  const AttemptKey key = add_assign(type, {}, {.large_bytes = bytes}, Content::Bytes, 1);
  flush();
  return key;
}

void FakeDaemon::send(const ipc::Header& header, std::string_view meta, std::string_view payload) {
  add(header, meta, payload);
  flush();
}

ssize_t FakeDaemon::write_some(iovec* pieces, std::size_t count) {
  if (ends_.ours_out) return ::writev(ends_.ours_out.get(), pieces, static_cast<int>(count));
  return ipc::send_with_descriptor(ends_.ours.get(), {pieces, count}, 0, beside_.get());
}

void FakeDaemon::send_raw(std::string_view bytes) {
  iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
  ASSERT_EQ(static_cast<ssize_t>(bytes.size()), write_some(&piece, 1));
}

bool FakeDaemon::wait_readable() const {
  pollfd fd{ends_.ours.get(), POLLIN, 0};
  const auto patience = std::chrono::milliseconds(kPatience).count();
  return ::poll(&fd, 1, static_cast<int>(patience)) > 0;
}

std::optional<Received> FakeDaemon::next_or_end() {
  for (;;) {
    ipc::Frame frame;
    const auto got = reader_.next(frame);
    if (got == ipc::FrameReader::Next::Frame) {
      return Received{frame.header, std::string(ipc::text_of(frame.meta)),
                      std::string(ipc::text_of(frame.payload))};
    }
    if (got == ipc::FrameReader::Next::Broken) {
      ADD_FAILURE() << "the worker broke the protocol: " << reader_.error().text;
      return std::nullopt;
    }
    if (!wait_readable()) {
      ADD_FAILURE() << "the worker sends nothing";
      return std::nullopt;
    }
    const auto room = reader_.prepare(256 * 1024);
    const ssize_t bytes = ::read(ends_.ours.get(), room.data(), room.size());
    reader_.commit(bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
    if (bytes <= 0) return std::nullopt;
    ++reads_;
  }
}

Received FakeDaemon::next() {
  auto received = next_or_end();
  if (!received) ADD_FAILURE() << "the worker closed its channel";
  return received.value_or(Received{});
}

void FakeDaemon::expect_quiet() {
  send({.kind = Kind::Ping, .token = 77});
  const Received answer = next();
  EXPECT_EQ(Kind::Pong, answer.kind());
  EXPECT_EQ(77U, answer.header.token);
}

int FakeDaemon::status() {
  if (run_.wait_for(kPatience) != std::future_status::ready) {
    ADD_FAILURE() << "the worker goes on running";
    return -1;
  }
  return run_.get();
}

bool FakeDaemon::runs() {
  return run_.wait_for(std::chrono::seconds(0)) != std::future_status::ready;
}

}  // namespace warmpool::worker::testing
