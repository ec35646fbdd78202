#include "client/cli/server_load.hpp"

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "ipc/fd.hpp"

namespace warmpool::cli {
namespace {

constexpr int kJobs = 5;

const PeerServer& beanstalkd() {
  for (const auto& server : peer_servers()) {
    if (std::string_view(server.name) == "beanstalkd") return server;
  }
  throw std::logic_error("beanstalkd is no peer");
}

// A beanstalkd for one client at its results tube: it says that a result is deleted only once it
// has been asked for the next, and that of the last at once.
class SlowToDelete {
 public:
  SlowToDelete() {
    std::string place = (std::filesystem::temp_directory_path() / "warmpool-test.XXXXXX").string();
    directory_ = ::mkdtemp(place.data());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    listener_ = ipc::UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto* named = reinterpret_cast<const sockaddr*>(&address);
    if (::bind(listener_.get(), named, sizeof address) != 0) std::abort();
    if (::listen(listener_.get(), 8) != 0) std::abort();
    thread_ = std::thread([this] { serve(); });
  }
  ~SlowToDelete() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    std::filesystem::remove_all(directory_);
  }
  SlowToDelete(const SlowToDelete&) = delete;
  SlowToDelete& operator=(const SlowToDelete&) = delete;

  std::string path() const { return directory_ + "/socket"; }
  int given() const { return given_; }

 private:
  struct Connection {
    ipc::UniqueFd fd;
    std::string in;
    bool takes_results = false;
  };

  void serve() {
    for (;;) {
      std::vector<pollfd> wishes{{listener_.get(), POLLIN, 0}};
      for (const auto& each : connections_) wishes.push_back({each.fd.get(), POLLIN, 0});
      ::poll(wishes.data(), wishes.size(), -1);
      if ((wishes[0].revents & POLLHUP) != 0) return;
      for (std::size_t i = 1; i < wishes.size(); ++i) {
        if (wishes[i].revents != 0 && !hear(connections_[i - 1])) wishes[i].fd = -1;
      }
      for (std::size_t i = wishes.size(); i-- > 1;) {
        if (wishes[i].fd < 0) connections_.erase(connections_.begin() + static_cast<long>(i) - 1);
      }
      if (wishes[0].revents == 0) continue;
      connections_.push_back({ipc::UniqueFd(::accept(listener_.get(), nullptr, nullptr)), {}});
    }
  }

  bool hear(Connection& connection) {
    char piece[4096];
    const auto got = ::recv(connection.fd.get(), piece, sizeof piece, 0);
    if (got <= 0) return false;
    connection.in.append(piece, static_cast<std::size_t>(got));
    for (auto end = connection.in.find("\r\n"); end != std::string::npos;) {
      answer(connection, connection.in.substr(0, end));
      connection.in.erase(0, end + 2);
      end = connection.in.find("\r\n");
    }
    return true;
  }

  void answer(Connection& connection, const std::string& line) {
    const bool watches = line.starts_with("watch ") || line.starts_with("ignore ");
    if (line.starts_with("use ")) return say(connection, "USING x\r\n");
    if (line == "watch results") connection.takes_results = true;
    if (watches) return say(connection, "WATCHING 1\r\n");
    if (line.starts_with("put ")) return;  // its data is a line of its own
    if (line.starts_with("delete ")) {
      if (given_ == kJobs) return say(connection, "DELETED\r\n");
      is_delete_open_ = true;
      return;
    }
    if (line.starts_with("reserve")) return reserve(connection);
    say(connection, "INSERTED 1\r\n");
  }

  void reserve(Connection& connection) {
    if (!connection.takes_results) return say(connection, "TIMED_OUT\r\n");
    if (is_delete_open_) say(connection, "DELETED\r\n");
    is_delete_open_ = false;
    ++given_;
    say(connection, "RESERVED 7 1\r\nx\r\n");
  }

  static void say(const Connection& connection, std::string_view text) {
    ::send(connection.fd.get(), text.data(), text.size(), MSG_NOSIGNAL);
  }

  std::string directory_;
  ipc::UniqueFd listener_;
  std::vector<Connection> connections_;
  std::atomic<int> given_ = 0;
  bool is_delete_open_ = false;
  std::thread thread_;
};

// It was once asked a fifth of a second later, each time: 8 jobs a second.
TEST(ServerLoad, TheNextResultIsAskedForTogetherWithTheDropOfTheLast) {
  SlowToDelete server;
  Interrupts interrupts;
  const auto rate = measure_cycle(beanstalkd(), server.path(), kJobs, kJobs, interrupts);
  ASSERT_TRUE(rate) << rate.error().text;
  EXPECT_EQ(server.given(), kJobs);
}

}  // namespace
}  // namespace warmpool::cli
