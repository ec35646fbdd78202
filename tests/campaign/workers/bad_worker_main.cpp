// The worker of the campaign of worker faults: does what a task asks for in that task's first
// attempt, and is good in every later one.
//   test-bad-worker DIRECTORY    where the ledger is
// A payload is "what" or "what:argument", by the table at the end. Nothing here lasts longer than
// kLongest, whatever the daemon does.
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "ipc/frame.hpp"
#include "tests/campaign/ledger.hpp"
#include "tests/campaign/run_log.hpp"
#include "tests/campaign/workers/strays.hpp"
#include "worker/worker.hpp"

using namespace warmpool;
using namespace warmpool::worker;

namespace {

constexpr int kChannel = 3;  // what the launcher leaves open besides 0, 1 and 2
constexpr std::chrono::seconds kLongest{30};

campaign::RunLog runs;
std::string directory;

std::uint64_t number(const std::string& text) { return std::strtoull(text.c_str(), nullptr, 10); }

std::uint64_t nanoseconds_of(std::chrono::nanoseconds time) {
  return static_cast<std::uint64_t>(time.count());
}

// Heeds nothing.
void pass(std::chrono::milliseconds time) {
  const auto end = campaign::monotonic_nanoseconds() + nanoseconds_of(time);
  while (campaign::monotonic_nanoseconds() < end) ::poll(nullptr, 0, 5);
}

void die_by_null(Context&, const std::string&) {
  volatile int* volatile nowhere = nullptr;
  *nowhere = 1;
}

// The page is mapped, and its file has none.
void die_by_bus(Context&, const std::string&) {
  const int fd = ::memfd_create("empty", MFD_CLOEXEC);
  auto* page = static_cast<volatile char*>(::mmap(nullptr, 4096, PROT_WRITE, MAP_SHARED, fd, 0));
  if (page != MAP_FAILED) page[0] = 1;
}

void die_by_signal(Context&, const std::string& which) {
  ::signal(static_cast<int>(number(which)), SIG_DFL);
  ::raise(static_cast<int>(number(which)));
}

void die_by_throw(Context&, const std::string&) {
  std::thread([] { throw std::runtime_error("nobody catches this"); }).join();
}

void end_orderly(Context&, const std::string& status) {
  std::exit(static_cast<int>(number(status)));
}

void end_at_once(Context&, const std::string& status) { ::_exit(static_cast<int>(number(status))); }

// The first bytes of the frame that would make this attempt done.
void die_in_frame(Context& context, const std::string& bytes) {
  const std::string result = "a result";
  auto header = ipc::run_header(ipc::Kind::Done, context.key());
  header.body_bytes = static_cast<std::uint32_t>(result.size());
  std::array<std::byte, ipc::kHeaderBytes> head{};
  ipc::encode_header(header, head);
  std::string frame(reinterpret_cast<const char*>(head.data()), head.size());
  frame += result;
  const auto some = std::min<std::size_t>(number(bytes), frame.size());
  if (::write(kChannel, frame.data(), some) != static_cast<ssize_t>(some)) ::_exit(74);
  ::_exit(1);
}

void hold(Context&, const std::string& milliseconds) {
  pass(milliseconds.empty() ? kLongest : std::chrono::milliseconds(number(milliseconds)));
}

// One call, for as long as it takes.
void be_silent(Context&, const std::string& milliseconds) {
  ::poll(nullptr, 0, static_cast<int>(number(milliseconds)));
}

// Beats go on: the watcher thread lives.
void spin(Context&, const std::string&) {
  const auto end = campaign::monotonic_nanoseconds() + nanoseconds_of(kLongest);
  while (campaign::monotonic_nanoseconds() < end) {
  }
}

void be_deaf(Context& context, const std::string& milliseconds) {
  std::signal(SIGTERM, SIG_IGN);
  hold(context, milliseconds);
}

void close_all(Context&, const std::string&) {
  for (int fd = 0; fd < 1024; ++fd) ::close(fd);
  pass(kLongest);
}

void print(Context&, const std::string& bytes) {
  const std::string piece(1 << 16, 'x');
  for (auto left = number(bytes); left > 0;) {
    const auto wrote =
        ::write(STDOUT_FILENO, piece.data(), std::min<std::size_t>(left, piece.size()));
    if (wrote <= 0) ::_exit(74);
    left -= static_cast<std::uint64_t>(wrote);
  }
}

void take_mebibytes(std::uint64_t count) {
  static std::vector<std::string> kept;  // as by a leak
  for (; count > 0; --count) kept.emplace_back(1 << 20, 'x');
}

void leak(Context&, const std::string& mebibytes) { take_mebibytes(number(mebibytes)); }

// "64,256": so much, writes down when it has that, then on to as much as that.
void take(Context&, const std::string& mebibytes) {
  const auto limit = number(mebibytes), all = number(mebibytes.substr(mebibytes.find(',') + 1));
  take_mebibytes(limit);
  const int fd =
      ::open((directory + "/passed").c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  const auto line = std::to_string(campaign::monotonic_nanoseconds()) + "\n";
  if (::write(fd, line.data(), line.size()) < 0) ::_exit(74);
  take_mebibytes(all - limit);
  pass(kLongest);
}

void stray_and_hold(Context&, const std::string& way) {
  if (!campaign::make_strays(way, directory + "/strays")) ::_exit(2);
  if (::creat((directory + "/strays-are-there").c_str(), 0600) < 0) ::_exit(74);
  pass(kLongest);
}

// What left the tree holds standard output and the channel, and this process ends.
void stray_and_end(Context&, const std::string& way) {
  if (!campaign::make_strays(way, directory + "/strays")) ::_exit(2);
  ::_exit(5);
}

void end_with_orphans(Context&, const std::string& count) {
  campaign::make_orphans(static_cast<unsigned>(number(count)));
  ::_exit(42);
}

// In the first run, whatever its number: a daemon that is killed may not remember that one.
void leave_a_witness(Context& context, const std::string&) {
  const std::string task = std::to_string(context.task().value);
  const auto once = directory + "/witness-" + task;
  if (::open(once.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) < 0) return;
  campaign::make_witness(directory + "/witness", task);
  pass(kLongest);
}

struct Act {
  std::string_view name;
  void (*act)(Context&, const std::string& argument);
};

constexpr std::array<Act, 19> kActs{{{"null", die_by_null},
                                     {"bus", die_by_bus},
                                     {"raise", die_by_signal},
                                     {"throw", die_by_throw},
                                     {"exit", end_orderly},
                                     {"_exit", end_at_once},
                                     {"frame", die_in_frame},
                                     {"hold", hold},
                                     {"silent", be_silent},
                                     {"spin", spin},
                                     {"deaf", be_deaf},
                                     {"close", close_all},
                                     {"print", print},
                                     {"leak", leak},
                                     {"take", take},
                                     {"stray", stray_and_hold},
                                     {"stray-end", stray_and_end},
                                     {"orphans", end_with_orphans},
                                     {"witness", leave_a_witness}}};

Answer misbehave(Context& context) {
  runs.begin(context);
  const std::string text(context.text());
  const auto colon = text.find(':');
  const std::string argument = colon == std::string::npos ? "" : text.substr(colon + 1);
  if (context.attempt() > 1) return done("good in the end");
  for (const auto& act : kActs) {
    if (act.name != text.substr(0, colon)) continue;
    act.act(context, argument);
    return done("came through");
  }
  return failed_for_good("no such act: " + text);
}

Answer work(Context& context) {
  runs.begin(context);
  if (context.wait_for(std::chrono::milliseconds(number(std::string(context.text()))))) {
    return failed("cancelled");
  }
  return done("worked");
}

// One of very many, of which nobody keeps a ledger.
Answer pass_by(Context&) { return done("passed"); }

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  directory = argv[1];
  if (!runs.open(directory + "/ran")) return 74;
  Worker worker("bad-worker");
  worker.handle("work", work).handle("other", work).handle("bad", misbehave);
  worker.handle("mass", pass_by);
  return worker.run();
}
