// One thread turns the daemon, works its workers and reads its clients by turns.
#include "tests/daemon/test_daemon.hpp"

#include <algorithm>
#include <array>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "tests/support/patience.hpp"
#include "tests/support/transport.hpp"

namespace warmpool::daemon {

bool RecordingLog::has(std::string_view part) const {
  return std::ranges::any_of(
      lines, [&](const auto& line) { return line.find(part) != std::string::npos; });
}

Configuration small_configuration() {
  Configuration configuration;
  configuration.pool.values = default_options();
  configuration.pool.values.backoff_first = milliseconds(1);
  configuration.pool.values.backoff_max = milliseconds(1);
  auto& worker_class = configuration.classes.emplace_back().values;
  worker_class = default_class_options();
  worker_class.name = "worker";
  worker_class.command = {"/bin/false"};
  worker_class.channel = test::over_fifos() ? "fifo" : "socket";
  worker_class.types = {"echo", "fail", "hang"};
  worker_class.size = worker_class.size_min = 2;
  return configuration;
}

RawClient::RawClient(ipc::UniqueFd fd)
    : fd_(std::move(fd)), reader_(ipc::before_hello(ipc::Party::Daemon, ipc::Party::Client)) {}

void RawClient::send_bytes(std::string_view bytes) {
  unsent_ += bytes;
  const auto sent = ::send(fd_.get(), unsent_.data(), unsent_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent > 0) unsent_.erase(0, static_cast<std::size_t>(sent));
}

void RawClient::send(const ipc::Header& header, ipc::Bytes meta, std::string_view payload) {
  ipc::OutBuffer out;
  out.append(header, meta, ipc::bytes_of(payload));
  std::array<iovec, ipc::OutBuffer::kPiecesMax> pieces;
  std::string bytes;
  while (!out.empty()) {
    const auto count = out.gather(pieces);
    std::size_t total = 0;
    for (std::size_t i = 0; i < count; ++i) {
      bytes.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
      total += pieces[i].iov_len;
    }
    out.consume(total);
  }
  send_bytes(bytes);
}

void RawClient::send_with(std::string_view bytes, std::span<const int> fds) {
  REQUIRE(unsent_.empty());
  iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
  const auto sent = ipc::send_with_descriptors(fd_.get(), {&piece, 1}, MSG_DONTWAIT, fds);
  REQUIRE(sent == static_cast<ssize_t>(bytes.size()));
}

void RawClient::hello(std::uint64_t features) {
  ipc::HelloMeta meta;
  meta.features = features;
  send_meta({.kind = ipc::Kind::Hello}, meta);
}

void RawClient::name_type(std::string_view name, std::uint16_t number) {
  send_meta({.kind = ipc::Kind::TypeName, .type = number}, ipc::TypeNameMeta{name});
}

void RawClient::submit(std::string_view payload, std::uint64_t token, std::uint8_t flags,
                       const ipc::SubmitMeta& meta, std::uint16_t type) {
  send_meta({.kind = ipc::Kind::Submit, .flags = flags, .token = token, .type = type}, meta,
            payload);
}

void RawClient::ask(ipc::Verb verb, std::vector<ipc::Argument> arguments, std::uint64_t token,
                    std::string_view payload) {
  ipc::RequestMeta meta;
  meta.verb = verb;
  std::ranges::move(arguments, meta.arguments.begin());
  send_meta({.kind = ipc::Kind::Request, .token = token}, meta, payload);
}

void RawClient::receive() {
  if (!fd_) return;
  send_bytes({});
  while (!closed_) {
    const auto room = reader_.prepare(65'536);
    const auto got = ipc::receive_with_descriptors(fd_.get(), room, MSG_DONTWAIT, came_);
    if (got < 0 && errno == EAGAIN) return;
    closed_ = got <= 0;
    if (got > 0) reader_.commit(static_cast<std::size_t>(got));
    ipc::Frame frame;
    while (reader_.next(frame) == ipc::FrameReader::Next::Frame) {
      frames.push_back({frame.header, std::string(ipc::text_of(frame.meta)),
                        std::string(ipc::text_of(frame.payload)), nullptr});
      if (frame.header.descriptors != 0) {
        auto came = came_.take();
        if (came) frames.back().descriptor = std::make_shared<ipc::UniqueFd>(std::move(*came));
      }
      if (frame.header.kind != ipc::Kind::Welcome) continue;
      const auto welcome = ipc::decode<ipc::WelcomeMeta>(frame.meta);
      reader_.set_rules(
          ipc::after_hello(reader_.rules(), welcome->frame_bytes_max, welcome->features));
    }
  }
}

const RawClient::Received* RawClient::find(ipc::Kind kind, std::uint64_t token) const {
  for (const auto& frame : frames) {
    if (frame.header.kind == kind && frame.header.token == token) return &frame;
  }
  return nullptr;
}

const RawClient::Received* RawClient::find(ipc::Kind kind) const {
  const auto found =
      std::ranges::find_if(frames, [&](const auto& frame) { return frame.header.kind == kind; });
  return found == frames.end() ? nullptr : &*found;
}

std::size_t RawClient::count(ipc::Kind kind) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(frames, [&](const auto& frame) { return frame.header.kind == kind; }));
}

std::uint16_t RawClient::code_of(const Received& received) {
  const auto meta = ipc::bytes_of(received.meta);
  if (received.header.kind == ipc::Kind::Error) return ipc::decode<ipc::ErrorMeta>(meta)->code;
  return ipc::decode<ipc::RefusedMeta>(meta)->code;
}

std::string RawClient::text_of(const Received& received) {
  const auto meta = ipc::bytes_of(received.meta);
  if (received.header.kind == ipc::Kind::Error) {
    return std::string(ipc::decode<ipc::ErrorMeta>(meta)->text);
  }
  return std::string(ipc::decode<ipc::RefusedMeta>(meta)->text);
}

namespace {

// In which its workers' directories are made, if a class has such.
std::optional<DirectoryRoot> root_for(const Configuration& configuration, const std::string& path) {
  const auto has_some = [](const auto& each) { return each.values.directory != "none"; };
  if (std::ranges::none_of(configuration.classes, has_some)) return std::nullopt;
  const auto& named = configuration.pool.values.directory_root;
  return std::move(*DirectoryRoot::open(named.empty() ? path : named));
}

}  // namespace

TestDaemon::TestDaemon(Configuration configuration, UseSubmitFifo submit_fifo, Store* durable,
                       const std::string& attempts_path)
    : store(configuration.pool.values),
      daemon({configuration, std::vector<std::optional<Identity>>(configuration.classes.size()), 1,
              Instant{1}, std::nullopt, "", directory / "dead-letters.jsonl",
              submit_fifo == UseSubmitFifo::Yes ? &processes.fifo_directory() : nullptr,
              attempts_path, "", root_for(configuration, directory / "directories")},
             {log, time, processes, durable == nullptr ? store : *durable, notifier}) {}

// The loop waits by the kernel's clock for dates of the test's, which may be hours ahead of it.
std::unique_ptr<Watch> TestDaemon::wake_often(const ipc::UniqueFd& timer) {
  constexpr itimerspec each{{0, 5'000'000}, {0, 5'000'000}};
  REQUIRE(::timerfd_settime(timer.get(), 0, &each, nullptr) == 0);
  auto watch = daemon.reactor().watch(timer.get(), [&timer] {
    std::uint64_t count = 0;
    (void)!::read(timer.get(), &count, sizeof count);
  });
  watch->start_reading();
  return watch;
}

bool TestDaemon::until(const std::function<bool()>& holds) {
  const auto end = test::patience_ends();
  const ipc::UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  const auto watch = wake_often(timer);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    daemon.turn(milliseconds(2));
    processes.work();
  }
  return true;
}

bool TestDaemon::until(RawClient& client, const std::function<bool()>& holds) {
  return until([&] {
    client.receive();
    return holds();
  });
}

RawClient TestDaemon::connect_silent() {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0);
  daemon.adopt(ipc::UniqueFd(ends[0]));
  return RawClient(ipc::UniqueFd(ends[1]));
}

RawClient TestDaemon::connect() {
  auto client = connect_silent();
  client.hello();
  EXPECT_TRUE(until(client, [&] { return client.find(ipc::Kind::Welcome) != nullptr; }));
  return client;
}

std::string TestDaemon::ask(RawClient& client, ipc::Verb verb,
                            std::vector<ipc::Argument> arguments) {
  const auto token = ++last_token_;
  client.ask(verb, std::move(arguments), token);
  const auto answered = [&] {
    return client.find(ipc::Kind::Reply, token) != nullptr ||
           client.find(ipc::Kind::Refused, token) != nullptr;
  };
  if (!until(client, answered)) return "no answer";
  const auto* reply = client.find(ipc::Kind::Reply, token);
  return reply != nullptr
             ? reply->payload
             : "refused: " + RawClient::text_of(*client.find(ipc::Kind::Refused, token));
}

}  // namespace warmpool::daemon
