// A worker is the child of a child, so that the daemon becomes its parent: the process between the
// two gives the worker its mark, tells the daemon its pidfd, and ends. The daemon is told that all
// is done by the template, once that process has been waited for: from then on the worker is the
// daemon's.
//
// Source: fork(2), prctl(2), pidfd_open(2). forget_original_parent() in kernel/exit.c: children
// move on before a pidfd of their parent turns readable.
#include "worker/template.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "ipc/descriptor_passing.hpp"
#include "ipc/template_frames.hpp"
#include "worker/template_fitness.hpp"
#include "worker/worker.hpp"

namespace warmpool::worker {
namespace {

using ipc::TemplateAnswer;

constexpr const char* kChannelVariable = "WARMPOOL_TEMPLATE";
constexpr const char* kPreloadVariable = "WARMPOOL_PRELOAD";
constexpr const char* kMarkVariable = "WARMPOOL_MARK";
constexpr int kChannelNumber = 3;  // of a worker
constexpr const char* kName = "warm-template";
constexpr std::size_t kNameBytes = 16;  // prctl(2)

int say(RunStatus status, const std::string& why) {
  std::fprintf(stderr, "warmpool template: %s\n", why.c_str());
  return static_cast<int>(status);
}

[[noreturn]] void stop(const char* what) {
  std::fprintf(stderr, "warmpool worker: %s: %s\n", what, std::strerror(errno));
  std::fflush(stderr);
  ::_exit(static_cast<int>(RunStatus::System));
}

ipc::UniqueFd open_pidfd(pid_t pid) {
  return ipc::UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

bool send(int channel, const TemplateAnswer& answer, int fd = -1) {
  std::string packet = ipc::encode(answer);
  iovec piece{packet.data(), packet.size()};
  return ipc::send_with_descriptor(channel, {&piece, 1}, 0, fd) ==
         static_cast<ssize_t>(packet.size());
}

// What is asked for, with the descriptors beside it: stdout, stderr, and the channel unless it is
// opened by name.
struct Asked {
  std::string packet;
  ipc::ForkRequest request;
  std::array<ipc::UniqueFd, 3> given;
};

// 0 stays; 1, 2 and 3 are this worker's; there is nothing else.
void take_descriptors(std::array<ipc::UniqueFd, 3>& given) {
  // Out of the way of the numbers that are given.
  for (auto& fd : given) {
    if (fd) fd.reset(::fcntl(fd.get(), F_DUPFD_CLOEXEC, kChannelNumber + 1));
  }
  for (int i = 0; i < static_cast<int>(given.size()); ++i) {
    const auto& fd = given[static_cast<std::size_t>(i)];
    if (fd && ::dup2(fd.get(), i + 1) < 0) stop("dup2");
  }
  const bool has_channel = static_cast<bool>(given[2]);
  for (auto& fd : given) (void)fd.release();
  ::closefrom(has_channel ? kChannelNumber + 1 : kChannelNumber);
}

void await_end(pid_t between) {
  if (::getppid() != between) return;
  const auto pidfd = open_pidfd(between);
  if (!pidfd || ::getppid() != between) return;
  pollfd waiting{pidfd.get(), POLLIN, 0};
  while (::poll(&waiting, 1, -1) < 0 && errno == EINTR) {
  }
}

void die_with_parent(pid_t daemon) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) stop("PR_SET_PDEATHSIG");
  if (::getppid() == daemon) return;
  errno = ESRCH;
  stop("the daemon is gone");
}

void set_environment(const ipc::ForkRequest& request) {
  for (const auto entry : request.environment) {
    const std::string text(entry);
    const auto equals = text.find('=');
    ::setenv(text.substr(0, equals).c_str(), text.c_str() + equals + 1, 1);
  }
}

// Of its place, where its class keeps such.
void enter_directory() {
  const char* const path = std::getenv("WARMPOOL_DIRECTORY");
  if (path != nullptr && ::chdir(path) != 0) stop("WARMPOOL_DIRECTORY");
}

class Template {
 public:
  explicit Template(int channel) : channel_(channel), daemon_(::getppid()) {
    ::prctl(PR_GET_NAME, name_.data());
    ::prctl(PR_SET_NAME, kName);
  }

  // None in a worker.
  std::optional<int> run() {
    if (const auto fault = load(); !fault.empty()) return unfit(fault);
    if (const auto fault = unfit_to_fork(channel_.get()); !fault.empty()) return unfit(fault);
    if (!send(channel_.get(), {TemplateAnswer::Kind::Ready, ipc::kTemplateVersion})) return gone();
    for (;;) {
      Asked asked;
      if (const auto bytes = receive(asked); bytes <= 0) return gone();
      const auto request = ipc::parse_fork_request(asked.packet);
      if (!request) {
        return say(RunStatus::Protocol,
                   "the daemon says what is none of docs/protocol.md, section 12");
      }
      asked.request = *request;
      if (const auto fault = threads_fault(); !fault.empty()) return unfit(fault);
      std::fflush(nullptr);  // what is still unwritten would be written by every worker again
      if (fork_worker(asked)) return std::nullopt;
    }
  }

 private:
  int gone() const { return static_cast<int>(RunStatus::DaemonGone); }

  int unfit(const std::string& fault) const {
    send(channel_.get(), {TemplateAnswer::Kind::Unfit, 0, 0, fault});
    return say(RunStatus::System, fault);
  }

  static std::string load() {
    const char* names = std::getenv(kPreloadVariable);
    std::string rest = names == nullptr ? "" : names;
    while (!rest.empty()) {
      const auto name = rest.substr(0, rest.find(','));
      rest.erase(0, name.size() + 1);
      if (::dlopen(name.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
        return std::string("cannot load ") + ::dlerror();
      }
    }
    return {};
  }

  ssize_t receive(Asked& asked) const {
    asked.packet.resize(ipc::kTemplateBytesMax);
    ssize_t bytes = 0;
    do {
      bytes = ipc::receive_with_descriptors(
          channel_.get(), std::as_writable_bytes(std::span(asked.packet)), 0, asked.given);
    } while (bytes < 0 && errno == EINTR);
    asked.packet.resize(bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
    return bytes;
  }

  void fail(const ipc::ForkRequest& request, int error) const {
    const std::string text = std::string("fork: ") + std::strerror(error);
    send(channel_.get(), {TemplateAnswer::Kind::Failed, request.number, 0, text});
  }

  // True in the worker.
  bool fork_worker(Asked& asked) {
    const pid_t between = ::fork();
    if (between == 0) {
      stand_between(asked);
      return true;
    }
    if (between < 0) {
      fail(asked.request, errno);
      return false;
    }
    int status = 0;
    while (::waitpid(between, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
      send(channel_.get(), {TemplateAnswer::Kind::Done, asked.request.number});
    } else {
      fail(asked.request, WIFEXITED(status) ? WEXITSTATUS(status) : EINTR);
    }
    return false;
  }

  // Returns in the worker; nothing of the template goes on in this process.
  void stand_between(Asked& asked) {
    const pid_t between = ::getpid();
    if (!overwrite_mark(kMarkVariable, asked.request.mark)) ::_exit(EIO);
    const pid_t worker = ::fork();
    if (worker < 0) ::_exit(errno);
    if (worker > 0) {
      const auto pidfd = open_pidfd(worker);
      if (!pidfd) ::_exit(errno);
      const TemplateAnswer answer{TemplateAnswer::Kind::Forked, asked.request.number,
                                  static_cast<std::uint64_t>(worker)};
      ::_exit(send(channel_.get(), answer, pidfd.get()) ? 0 : EPIPE);
    }
    become_worker(asked, between);
  }

  void become_worker(Asked& asked, pid_t between) {
    if (::setsid() < 0) stop("setsid");
    (void)channel_.release();
    take_descriptors(asked.given);
    await_end(between);
    die_with_parent(daemon_);
    ::prctl(PR_SET_NAME, name_.data());
    set_environment(asked.request);
    enter_directory();
  }

  ipc::UniqueFd channel_;
  pid_t daemon_;
  std::array<char, kNameBytes> name_{};
};

}  // namespace

bool is_template() { return std::getenv(kChannelVariable) != nullptr; }

std::optional<int> run_template() {
  const std::string text = std::getenv(kChannelVariable);
  int channel = -1;
  const auto [stopped, fault] = std::from_chars(text.data(), text.data() + text.size(), channel);
  if (fault != std::errc{} || *stopped != '\0' || ::fcntl(channel, F_SETFD, FD_CLOEXEC) != 0) {
    return say(RunStatus::NoChannel,
               "WARMPOOL_TEMPLATE=" + text + " is no open descriptor; it is set by the daemon");
  }
  const auto ended = Template(channel).run();
  ::unsetenv(kChannelVariable);
  ::unsetenv(kPreloadVariable);
  return ended;
}

}  // namespace warmpool::worker
