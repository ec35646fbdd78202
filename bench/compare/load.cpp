// Loads a broker, or works for one. One program for all of them, so that they differ by what they
// are and not by who drives them: it pipelines, writes all that it has at once, goes on reading
// while a write blocks, and checks each answer.
//
//   load BROKER ADDRESS worker [PREFETCH]     answers each job with its payload, until its input or
//   the broker ends load BROKER ADDRESS client                reads commands, answers each with a
//   line of JSON
//
// ADDRESS: the path of a Unix socket, or a port of the loopback. Commands:
//   echo BYTES OUTSTANDING SECONDS            tasks done
//   hold BYTES OUTSTANDING SECONDS TASKS_MAX  tasks acknowledged, which nobody takes
#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <limits>
#include <netinet/tcp.h>
#include <poll.h>
#include <sstream>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench/compare/wire.hpp"

namespace warmpool::compare {

void give_up(const std::string& why) {
  std::fprintf(stderr, "load: %s\n", why.c_str());
  std::exit(1);
}

Line line_of(std::string_view in) {
  const auto end = in.find("\r\n");
  if (end == std::string_view::npos) return {};
  return {true, in.substr(0, end), end + 2};
}

std::size_t last_number(std::string_view line) {
  const auto word = line.substr(line.rfind(' ') + 1);
  std::size_t number = 0;
  std::from_chars(word.data(), word.data() + word.size(), number);
  return number;
}

namespace {

using std::chrono::steady_clock;

constexpr std::size_t kReadBytes = 1 << 20;
constexpr int kSilenceMaxMs = 30'000;
constexpr std::size_t kIdBytes = 16;

int connect_to(const std::string& address) {
  const bool is_path = address.find('/') != std::string::npos;
  const int fd = ::socket(is_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  std::strncpy(local.sun_path, address.c_str(), sizeof local.sun_path - 1);
  sockaddr_in loopback{};
  loopback.sin_family = AF_INET;
  loopback.sin_port = htons(static_cast<std::uint16_t>(std::atoi(address.c_str())));
  loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  if (!is_path) ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const auto* named = is_path ? reinterpret_cast<const sockaddr*>(&local)
                              : reinterpret_cast<const sockaddr*>(&loopback);
  const socklen_t bytes = is_path ? sizeof local : sizeof loopback;
  if (fd < 0 || ::connect(fd, named, bytes) != 0) give_up("cannot connect to " + address);
  return fd;
}

// What was read and not used; what is to be written. Neither is copied more than once as messages
// of many megabytes come in pieces.
class Link {
 public:
  explicit Link(const std::string& address) : fd_(connect_to(address)) {}
  std::string out;

  std::string_view in() const { return {in_.data() + begin_, end_ - begin_}; }
  void use(std::size_t bytes) { begin_ += bytes; }
  bool writes() const { return written_ < out.size(); }
  int fd() const { return fd_; }

  void write_some() {
    while (writes()) {
      const ssize_t done =
          ::send(fd_, out.data() + written_, out.size() - written_, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (done < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (done < 0) give_up(std::string("cannot write: ") + std::strerror(errno));
      written_ += static_cast<std::size_t>(done);
    }
    out.clear();
    written_ = 0;
  }

  // False: the broker has closed the connection.
  bool read_some() {
    make_room();
    const ssize_t got = ::recv(fd_, in_.data() + end_, in_.size() - end_, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (got <= 0) return false;
    end_ += static_cast<std::size_t>(got);
    return true;
  }

 private:
  void make_room() {
    if (begin_ == end_) begin_ = end_ = 0;
    if (in_.size() - end_ >= kReadBytes) return;
    if (begin_ >= end_ - begin_) {
      std::memmove(in_.data(), in_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    if (in_.size() - end_ < kReadBytes) in_.resize(std::max(2 * in_.size(), end_ + kReadBytes));
  }

  int fd_;
  std::vector<char> in_;
  std::size_t begin_ = 0, end_ = 0, written_ = 0;
};

struct Order {
  bool is_held = false;
  std::size_t bytes = 64;
  std::uint64_t outstanding = 1, tasks_max = std::numeric_limits<std::uint64_t>::max();
  double seconds = 1;
};

class Client {
 public:
  Client(Wire& wire, const std::string& address) : wire_(wire) {
    links_.emplace_back(address);
    if (wire.takes_apart()) links_.emplace_back(address);
    wire_.greet_putter(putter().out);
    wire_.greet_taker(taker().out);
  }

  void run(const Order& order) {
    begin(order);
    while (done_ < submitted_ || may_submit()) {
      while (may_submit() && submitted_ - done_ < order.outstanding) submit();
      if (!order.is_held) wire_.ask(taker().out, submitted_ - done_);
      turn();
    }
    print(std::chrono::duration<double>(steady_clock::now() - begun_).count());
  }

 private:
  Link& putter() { return links_.front(); }
  Link& taker() { return links_.back(); }

  void begin(const Order& order) {
    order_ = order;
    payload_.assign(std::max(order.bytes, kIdBytes), 'x');
    submitted_ = done_ = 0;
    first_id_ = next_id_;
    begun_at_.clear();
    took_us_.clear();
    begun_ = now_ = steady_clock::now();
    until_ = begun_ + std::chrono::duration_cast<steady_clock::duration>(
                          std::chrono::duration<double>(order.seconds));
  }

  bool may_submit() const { return submitted_ < order_.tasks_max && now_ < until_; }

  // The payload begins with its number, so that each answer says whose it is.
  void submit() {
    std::snprintf(payload_.data(), kIdBytes + 1, "%016llx",
                  static_cast<unsigned long long>(next_id_));
    if (payload_.size() > kIdBytes) payload_[kIdBytes] = 'x';
    begun_at_.push_back(now_);
    if (order_.is_held)
      wire_.hold(putter().out, next_id_, payload_);
    else
      wire_.submit(putter().out, next_id_, payload_);
    ++next_id_;
    ++submitted_;
  }

  void turn() {
    std::array<pollfd, 2> wishes{};
    for (std::size_t i = 0; i < links_.size(); ++i) {
      links_[i].write_some();
      wishes[i] = {links_[i].fd(), static_cast<short>(POLLIN | (links_[i].writes() ? POLLOUT : 0)),
                   0};
    }
    if (::poll(wishes.data(), links_.size(), kSilenceMaxMs) == 0) give_up("no answer for 30 s");
    now_ = steady_clock::now();
    for (std::size_t i = 0; i < links_.size(); ++i) {
      if (wishes[i].revents & (POLLIN | POLLHUP)) hear(links_[i]);
    }
  }

  void hear(Link& link) {
    if (!link.read_some()) give_up("the broker closed the connection");
    for (;;) {
      const auto message = wire_.next(link.in(), link.out);
      if (message.kind == Message::Kind::Part) return;
      if (message.kind == Message::Kind::Accepted && order_.is_held) accept(message.accepted);
      if (message.kind == Message::Kind::Payloads) {
        for (const auto payload : message.payloads) settle(payload);
        wire_.taken(link.out, message);
      }
      link.use(message.bytes);
    }
  }

  void accept(std::uint64_t count) {
    for (; count > 0; --count) note(done_);
  }

  void settle(std::string_view payload) {
    std::uint64_t id = 0;
    const auto head = payload.substr(0, kIdBytes);
    std::from_chars(head.data(), head.data() + head.size(), id, 16);
    const auto rest = std::string_view(payload_).substr(kIdBytes);
    const bool mine = id >= first_id_ && id < next_id_ && payload.size() == payload_.size();
    if (!mine || payload.substr(kIdBytes) != rest)
      give_up("an answer that is none of a task of this run");
    if (begun_at_[id - first_id_] == steady_clock::time_point())
      give_up("a task was answered twice");
    note(id - first_id_);
  }

  void note(std::uint64_t index) {
    took_us_.push_back(std::chrono::duration<double, std::micro>(now_ - begun_at_[index]).count());
    begun_at_[index] = {};
    ++done_;
  }

  double part(double share) {
    if (took_us_.empty()) return 0;
    const auto at = took_us_.begin() +
                    static_cast<std::ptrdiff_t>(share * static_cast<double>(took_us_.size() - 1));
    std::nth_element(took_us_.begin(), at, took_us_.end());
    return *at;
  }

  void print(double seconds) {
    std::printf("{\"tasks\":%llu,\"seconds\":%.9f,\"p50_us\":%.3f,\"p99_us\":%.3f}\n",
                static_cast<unsigned long long>(done_), seconds, part(0.5), part(0.99));
    std::fflush(stdout);
  }

  Wire& wire_;
  std::vector<Link> links_;
  Order order_;
  std::string payload_;
  std::uint64_t submitted_ = 0, done_ = 0, first_id_ = 0, next_id_ = 0;
  std::vector<steady_clock::time_point> begun_at_;
  std::vector<double> took_us_;
  steady_clock::time_point begun_, now_, until_;
};

[[noreturn]] void work(Wire& wire, const std::string& address) {
  Link link(address);
  wire.greet_worker(link.out);
  for (;;) {
    link.write_some();
    pollfd wish{link.fd(), static_cast<short>(POLLIN | (link.writes() ? POLLOUT : 0)), 0};
    ::poll(&wish, 1, -1);
    if ((wish.revents & (POLLIN | POLLHUP)) == 0) continue;
    if (!link.read_some()) std::exit(0);
    for (;;) {
      const auto message = wire.next(link.in(), link.out);
      if (message.kind == Message::Kind::Part) break;
      if (message.kind == Message::Kind::Payloads) wire.answer(link.out, message);
      link.use(message.bytes);
    }
  }
}

[[noreturn]] void serve(Wire& wire, const std::string& address) {
  Client client(wire, address);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string verb;
    Order order;
    words >> verb >> order.bytes >> order.outstanding >> order.seconds;
    order.is_held = verb == "hold";
    if (order.is_held) words >> order.tasks_max;
    if (!words || (verb != "echo" && verb != "hold")) give_up("not a command: " + line);
    client.run(order);
  }
  std::exit(0);
}

std::unique_ptr<Wire> wire_of(const std::string& name, unsigned prefetch) {
  if (name == "warmpool") return warmpool_wire();
  if (name == "redis") return redis_wire(prefetch);
  if (name == "nats") return nats_wire();
  if (name == "gearman" || name == "gearman-kept") return gearman_wire(name == "gearman-kept");
  if (name == "beanstalkd") return beanstalkd_wire();
  give_up("no such broker: " + name);
}

}  // namespace

}  // namespace warmpool::compare

int main(int count, char** words) {
  using namespace warmpool::compare;
  if (count < 4) give_up("usage: load BROKER ADDRESS worker [PREFETCH] | client");
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto wire = wire_of(words[1], count > 4 ? static_cast<unsigned>(std::atoi(words[4])) : 1);
  const std::string role = words[3];
  if (role == "worker") work(*wire, words[2]);
  serve(*wire, words[2]);
}
