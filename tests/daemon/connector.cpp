#include "tests/daemon/connector.hpp"

#include <csignal>
#include <cstring>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool/require.hpp"

namespace warmpool::daemon {
namespace {

struct Message {
  char byte = 0;
  iovec piece{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(Ends))> control{};

  msghdr header() {
    msghdr made{};
    made.msg_iov = &piece;
    made.msg_iovlen = 1;
    made.msg_control = control.data();
    made.msg_controllen = control.size();
    return made;
  }
};

void give(int control) {
  const auto ends = connection();
  Message message;
  auto header = message.header();
  cmsghdr* rights = CMSG_FIRSTHDR(&header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof ends);
  std::memcpy(CMSG_DATA(rights), ends.data(), sizeof ends);
  ::sendmsg(control, &header, 0);
}

Ends take(int control) {
  Message message;
  auto header = message.header();
  REQUIRE(::recvmsg(control, &header, MSG_CMSG_CLOEXEC) == 1);
  Ends ends{};
  std::memcpy(ends.data(), CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof ends);
  return ends;
}

}  // namespace

Ends connection() {
  Ends ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0);
  return ends;
}

Connector::Connector() {
  Ends control{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control.data()) == 0);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(0);
    give(control[1]);
    ::close_range(3, ~0U, 0);  // ends of others among them
    for (;;) ::pause();
  }
  ends_ = take(control[0]);
  ::close(control[0]);
  ::close(control[1]);
}

Connector::~Connector() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

}  // namespace warmpool::daemon
