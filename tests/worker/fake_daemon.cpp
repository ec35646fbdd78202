#include "tests/worker/fake_daemon.hpp"

#include <algorithm>
#include <array>
#include <poll.h>

#include <gtest/gtest.h>

namespace warmpool::worker::testing {

using ipc::Kind;

Ends Ends::make(int type) {
  int fds[2];
  EXPECT_EQ(0, ::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds));
  return {ipc::UniqueFd(fds[0]), ipc::UniqueFd(fds[1])};
}

FakeDaemon::FakeDaemon(ipc::UniqueFd ours, Scene scene)
    : scene_(scene),
      socket_(std::move(ours)),
      reader_(ipc::before_hello(ipc::Party::Worker, ipc::Party::Daemon)) {
  if (scene_.welcome) greet();
}

FakeDaemon::FakeDaemon(Worker& worker, Scene scene)
    : scene_(scene), reader_(ipc::before_hello(ipc::Party::Worker, ipc::Party::Daemon)) {
  Ends ends = Ends::make(scene.socket_type);
  socket_ = std::move(ends.ours);
  Settings settings;
  settings.channel = ends.theirs.release();
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
  const ipc::WelcomeMeta meta{.features = scene_.features,
                              .frame_bytes_max = scene_.frame_bytes_max,
                              .payload_bytes_max = 1U << 20,
                              .in_flight_max = 0,
                              .heartbeat_interval = {scene_.heartbeat.count()},
                              .server = "fake",
                              .result_bytes_max = scene_.result_bytes_max};
  std::string bytes;
  encode(meta, bytes);
  send({.kind = Kind::Welcome}, bytes);
  reader_.set_rules(ipc::after_hello(reader_.rules(), scene_.frame_bytes_max, scene_.features));
}

AttemptKey FakeDaemon::add_assign(std::string_view type, std::string_view payload,
                                  const ipc::AssignMeta& meta, Content content) {
  const auto known = std::ranges::find(type_names_, type);
  const auto number = static_cast<std::uint16_t>(known - type_names_.begin());
  if (known == type_names_.end()) {
    std::string name;
    encode(ipc::TypeNameMeta{type}, name);
    add({.kind = Kind::TypeName, .type = number}, name);
    type_names_.emplace_back(type);
  }
  ++tasks_;
  const AttemptKey key{TaskId{tasks_}, 1, 2, 0x7000 + tasks_};
  auto header = ipc::run_header(Kind::Assign, key);
  header.type = number;
  header.flags = ipc::content_flags(content);
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
    msghdr message{};
    message.msg_iovlen = out_.gather(pieces);
    message.msg_iov = pieces.data();
    const ssize_t bytes = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    ASSERT_GT(bytes, 0);
    out_.consume(static_cast<std::size_t>(bytes));
  }
}

AttemptKey FakeDaemon::assign(std::string_view type, std::string_view payload,
                              const ipc::AssignMeta& meta, Content content) {
  const AttemptKey key = add_assign(type, payload, meta, content);
  flush();
  return key;
}

void FakeDaemon::send(const ipc::Header& header, std::string_view meta, std::string_view payload) {
  add(header, meta, payload);
  flush();
}

void FakeDaemon::send_raw(std::string_view bytes) {
  ASSERT_EQ(static_cast<ssize_t>(bytes.size()),
            ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
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
    pollfd fd{socket_.get(), POLLIN, 0};
    if (::poll(&fd, 1, test::patience_ms()) <= 0) {
      ADD_FAILURE() << "the worker sends nothing";
      return std::nullopt;
    }
    const auto room = reader_.prepare(256 * 1024);
    const ssize_t bytes = ::recv(socket_.get(), room.data(), room.size(), 0);
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
