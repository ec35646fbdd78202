// The daemon in places that are strange: few descriptors, no standard ones, first process of a
// namespace, other users; and the limits that a class gives its workers.
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <set>
#include <signal.h>
#include <sstream>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "client/client.hpp"
#include "ipc/codec.hpp"
#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"

namespace warmpool::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// --- descriptors ---------------------------------------------------------------------------------

// The limit that leaves the process `room` free descriptors: they have gaps.
rlim_t limit_with_room(pid_t pid, std::size_t room) {
  std::set<std::size_t> used;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
    used.insert(std::stoul(entry.path().filename()));
  }
  std::size_t limit = 0;
  for (std::size_t free = 0; free < room; ++limit) free += used.contains(limit) ? 0U : 1U;
  return limit;
}

void limit_descriptors(pid_t pid, rlim_t most) {
  rlimit limit{};
  ASSERT_EQ(::prlimit(pid, RLIMIT_NOFILE, nullptr, &limit), 0);
  limit.rlim_cur = most;
  ASSERT_EQ(::prlimit(pid, RLIMIT_NOFILE, &limit, nullptr), 0);
}

ipc::UniqueFd dial(const RealDaemon& daemon) {
  ipc::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (daemon.directory() + "/warmpool.sock").copy(address.sun_path, sizeof address.sun_path - 1);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return fd;
}

// The code of the error with which the daemon sent it away; 0: it did not.
int refusal_of(int fd) {
  std::array<std::byte, 4096> bytes{};
  const auto got = ::recv(fd, bytes.data(), bytes.size(), MSG_PEEK);
  if (got < static_cast<ssize_t>(ipc::kHeaderBytes)) return 0;
  const auto header = ipc::decode_header(std::span(bytes).first<ipc::kHeaderBytes>());
  if (header.kind != ipc::Kind::Error) return 0;
  const auto meta =
      ipc::decode<ipc::ErrorMeta>(std::span(bytes).subspan(ipc::kHeaderBytes, header.meta_bytes));
  return meta ? meta->code : 0;
}

std::chrono::milliseconds cpu_time(pid_t pid) {
  const std::string stat = read_text("/proc/" + std::to_string(pid) + "/stat");
  std::istringstream fields(stat.substr(stat.rfind(')') + 1));
  std::string skipped;
  long user = 0, system = 0;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  fields >> user >> system;
  return std::chrono::milliseconds((user + system) * 1000 / ::sysconf(_SC_CLK_TCK));
}

void expect_no_spin(pid_t pid) {
  const auto before = cpu_time(pid);
  const auto begun = std::chrono::steady_clock::now();
  eventually([&] { return std::chrono::steady_clock::now() - begun > 1s; });
  EXPECT_LT(cpu_time(pid) - before, 200ms) << "of one second";
}

TEST(Descriptors, ThatAreOutAreToldToNewClientsWhileOthersAreServed) {
  RealDaemon daemon({.config = "", .arguments = {"--workers", "1"}, .prefix = {}});
  client::ConnectOptions options;
  options.socket = daemon.directory() + "/warmpool.sock";
  auto client = client::Client::connect(options);
  ASSERT_TRUE(client);
  ASSERT_TRUE(eventually([&] { return status_of(daemon).at("pool").at("initialized") == true; }));
  limit_descriptors(daemon.pid(), limit_with_room(daemon.pid(), 5));
  std::vector<ipc::UniqueFd> crowd;
  for (int i = 0; i < 50; ++i) crowd.push_back(dial(daemon));
  const auto refused = [&] {
    return std::ranges::count_if(crowd, [](const auto& fd) {
      return refusal_of(fd.get()) == static_cast<int>(Refusal::ConnectionsFull);
    });
  };
  EXPECT_TRUE(eventually([&] { return refused() >= 10; })) << refused() << daemon.log();
  EXPECT_NE(daemon.log().find("descriptors are out"), std::string::npos);
  client->submit({.type = "echo", .payload = "still served", .wait = true});
  std::string result;
  while (result.empty()) {
    auto event = client->wait_any(client::in(10s));
    ASSERT_TRUE(event && *event);
    if (auto* settled = std::get_if<client::Settled>(&**event)) result = settled->result;
  }
  EXPECT_EQ(result, "still served");
  expect_no_spin(daemon.pid());
  crowd.clear();
  EXPECT_TRUE(eventually([&] { return daemon.call("ping").status == 0; })) << daemon.log();
}

// Not even the reserve helps: the listener is left alone until there is room, and looked at again.
TEST(Descriptors, WithoutARoomForTheReserveNothingSpinsAndItRecovers) {
  RealDaemon daemon({.config = "", .arguments = {"--workers", "1"}, .prefix = {}});
  ASSERT_TRUE(eventually([&] { return status_of(daemon).at("pool").at("initialized") == true; }));
  limit_descriptors(daemon.pid(), 3);
  const auto waiting = dial(daemon);
  EXPECT_TRUE(
      eventually([&] { return daemon.log().find("descriptors are out") != std::string::npos; }));
  expect_no_spin(daemon.pid());
  limit_descriptors(daemon.pid(), 512);
  EXPECT_TRUE(eventually([&] { return daemon.call("ping").status == 0; })) << daemon.log();
}

TEST(Descriptors, ThatAreClosedAtTheStartAreNoTrap) {
  RealDaemon daemon({.config = "",
                     .arguments = {"--workers 1", "--log-file $LOG"},
                     .prefix = "LOG=$(mktemp -u /tmp/warmpool-log.XXXXXX); export LOG;",
                     .descriptors = "<&- >&- 2>&-"});
  ASSERT_TRUE(daemon.running());
  EXPECT_EQ(daemon.call("submit echo x --wait").output, "x");
  const std::string fds = "/proc/" + std::to_string(daemon.pid()) + "/fd/";
  for (const char* number : {"0", "1", "2"}) {
    EXPECT_EQ(std::filesystem::read_symlink(fds + number), "/dev/null") << number;
  }
  const std::string environment = read_text("/proc/" + std::to_string(daemon.pid()) + "/environ");
  const std::string log = environment.substr(environment.find("LOG=") + 4, 24);
  EXPECT_NE(read_text(log.c_str()).find("listening on"), std::string::npos) << log;
  ::unlink(log.c_str());
}

// --- first process of a namespace ----------------------------------------------------------------

pid_t child_of(pid_t pid) {
  std::istringstream children(
      read_text("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children"));
  pid_t child = 0;
  children >> child;
  return child;
}

int zombies_below(pid_t parent) {
  return std::atoi(
      run_shell("ps -o stat= --ppid " + std::to_string(parent) + " | grep -c ^Z").output.c_str());
}

TEST(FirstProcess, ReapsOrphansAndEndsOnTerm) {
  const std::string unshare = "unshare --pid --fork --kill-child --mount-proc";
  if (run_shell(unshare + " true 2>/dev/null").status != 0) {
    GTEST_SKIP() << "this user may make no pid namespace: " << unshare;
  }
  RealDaemon daemon(
      {.config = "", .arguments = {"--workers", "2"}, .prefix = {}, .wrapper = unshare});
  ASSERT_TRUE(daemon.running()) << daemon.log();
  EXPECT_EQ(status_of(daemon).at("pid"), 1);
  const pid_t first = child_of(daemon.pid());
  ASSERT_NE(first, 0);
  // Orphans of tasks: adopted by the first process of the namespace, dead a moment later.
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(daemon.call("run -n -- sh -c '(setsid sleep 0.05 >/dev/null 2>&1 &)'").status, 0);
  }
  EXPECT_TRUE(eventually([&] { return zombies_below(first) == 0; }));
  EXPECT_EQ(daemon.call("submit crash SEGV --retries 0 --wait").status, 1) << "a death is seen";
  EXPECT_EQ(daemon.call("submit echo x --wait").output, "x");
  ::kill(first, SIGTERM);
  EXPECT_EQ(daemon.wait(), 0) << daemon.log();
}

// --- users ---------------------------------------------------------------------------------------

// A directory that every user can enter, with the programs in it.
class OpenPrograms {
 public:
  OpenPrograms() {
    char name[] = "/tmp/warmpool-open.XXXXXX";
    EXPECT_NE(::mkdtemp(name), nullptr);
    path_ = name;
    run_shell("chmod 755 " + path_ + "; cp " + program_directory() + "/warmpoold " +
              program_directory() + "/warmpool-worker " + program_directory() +
              "/warmpool-launch " + path_);
  }
  ~OpenPrograms() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string class_of(const std::string& programs, const std::string& options) {
  return "[[class]]\nname = \"worker\"\ncommand = [\"" + programs +
         "/warmpool-worker\"]\ntypes = [\"exec\"]\nsize = 1\n" + options;
}

TEST(User, OfAClassIsWhatItsWorkersAreForGood) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may run workers as another user";
  const OpenPrograms programs;
  RealDaemon daemon(
      {.config = class_of(programs.path(), "user = \"nobody\"\nchannel = \"socket\"\n"),
       .arguments = {},
       .prefix = {}});
  ASSERT_TRUE(daemon.running()) << daemon.log();
  const auto ids = daemon.call("run -n -- sh -c 'id -u; id -ru; id -G; echo $USER'");
  const std::string uid = run_shell("id -u nobody").output,
                    groups = run_shell("id -G nobody").output;
  EXPECT_EQ(ids.output, uid + uid + groups + "nobody\n");
  const auto workers = daemon.workers();
  ASSERT_EQ(workers.size(), 1U);
  const std::string status = read_text("/proc/" + std::to_string(workers[0]) + "/status");
  const std::string id = uid.substr(0, uid.find('\n'));
  EXPECT_NE(status.find("Uid:\t" + id + "\t" + id + "\t" + id + "\t" + id), std::string::npos)
      << "the saved one too:\n"
      << status;
  EXPECT_NE(status.find("CapPrm:\t0000000000000000"), std::string::npos) << status;
  EXPECT_NE(status.find("NoNewPrivs:\t1"), std::string::npos) << status;
}

struct NotGranted {
  const char* name;
  const char* options;
  const char* said;
};

class WithoutRoot : public testing::TestWithParam<NotGranted> {};

TEST_P(WithoutRoot, IsRefusedBeforeAnythingIsBound) {
  const OpenPrograms programs;
  const std::string as_user =
      ::geteuid() == 0 ? "setpriv --reuid=65534 --regid=65534 --clear-groups " : "";
  const std::string directory = programs.path() + "/home";
  run_shell("mkdir -m 777 " + directory);
  std::ofstream(directory + "/warmpool.toml") << class_of(programs.path(), GetParam().options);
  const std::string daemon = as_user + programs.path() + "/warmpoold --config " + directory +
                             "/warmpool.toml --runtime-dir " + directory + "/run ";
  const auto ran = run_shell("cd /; prlimit --nofile=512:512 --nice=0:0 " + daemon + "2>&1");
  EXPECT_EQ(ran.status, 77) << ran.output;
  EXPECT_NE(ran.output.find("warmpool.toml:6:1: class 'worker': "), std::string::npos)
      << ran.output;
  EXPECT_NE(ran.output.find(GetParam().said), std::string::npos) << ran.output;
  EXPECT_FALSE(std::filesystem::exists(directory + "/run"));
  const auto checked =
      run_shell("cd /; prlimit --nofile=512:512 --nice=0:0 " + daemon + "--check-config 2>&1");
  EXPECT_EQ(checked.status, 77) << checked.output;
  EXPECT_NE(checked.output.find(GetParam().said), std::string::npos) << checked.output;
}

INSTANTIATE_TEST_SUITE_P(
    All, WithoutRoot,
    testing::Values(NotGranted{"user", "user = \"root\"\n", "is not root; leave `user`"},
                    NotGranted{"nice", "nice = -5\n", "which only root may give"},
                    NotGranted{"limit", "open_files = 4096\n",
                               "open_files is above what the daemon itself may have (512)"}),
    [](const auto& one) { return one.param.name; });

// The shadow memory of a worker under AddressSanitizer fits into no address space that is limited,
// and it dumps no core of it.
#ifdef __SANITIZE_ADDRESS__
const std::string kSpace = "unlimited", kSpaceShown = "unlimited", kCoreShown = "0";
#else
const std::string kSpace = "4GiB", kSpaceShown = "4194304", kCoreShown = "1024";
#endif

TEST(Class, GivesItsWorkersMaskShareAndLimits) {
  const std::string options =
      "umask = \"027\"\nnice = 7\ncpus = \"0\"\nopen_files = 100\naddress_space = \"" + kSpace +
      "\"\n"
      "core_size = \"1MiB\"\ncpu_time = \"1h\"\nprocesses = 5000\n";
  RealDaemon daemon(
      {.config = class_of(program_directory(), options), .arguments = {}, .prefix = {}});
  ASSERT_TRUE(daemon.running()) << daemon.log();
  const auto ran = daemon.call(
      "run -n -- bash -c 'umask; nice; nproc; ulimit -n; ulimit -Hn; ulimit -v; ulimit -c; "
      "ulimit -t; ulimit -u'");
  EXPECT_EQ(ran.output,
            "0027\n7\n1\n100\n100\n" + kSpaceShown + "\n" + kCoreShown + "\n3600\n5000\n")
      << daemon.log();
}

}  // namespace
}  // namespace warmpool::test
