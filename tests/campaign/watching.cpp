// What a daemon costs that only watches: CPU time of all its threads, as the kernel counts it,
// while none of its workers does anything.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <optional>
#include <poll.h>
#include <sstream>
#include <string>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "tests/campaign/campaigns.hpp"
#include "tests/campaign/figure_book.hpp"
#include "tests/campaign/report.hpp"
#include "tests/campaign/scratch.hpp"
#include "tests/campaign/workers/figures.hpp"
#include "tests/campaign/workers/sender.hpp"
#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"

namespace warmpool::campaign {
namespace {

constexpr std::uint64_t kWatched = 500;
constexpr double kPercentMost = 1;

// Fields 14 and 15 of proc(5). Units: seconds.
double cpu_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::stringstream text;
  text << file.rdbuf();
  const auto all = text.str();
  std::istringstream fields(all.substr(std::min(all.size(), all.rfind(')') + 1)));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

class Watching {
 public:
  explicit Watching(const Plan& plan)
      : plan_(plan),
        workers_(plan.workers == 0 ? kWatched : plan.workers),
        ms_(plan.minutes == 0 ? 1'000 : static_cast<int>(plan.minutes * 60'000)) {
    std::ofstream(scratch_.path() + "/ran");
  }

  int run() {
    const auto taken = load_text();
    test::RealDaemon daemon({.config = config(), .arguments = {}, .prefix = {}});
    if (!daemon.running() || !are_ready(daemon)) {
      report_.violation("its workers did not come up");
      return report_.publish(plan_.out, "watching");
    }
    const double idle = percent(daemon);
    keep_busy(daemon);
    const double silent = are_running(daemon) ? percent(daemon) : 100;
    const auto crashes = count(daemon, "crashes");
    if (crashes != 0) report_.violation(std::to_string(crashes) + " workers were ended");
    tell(idle, silent, taken);
    return report_.publish(plan_.out, "watching");
  }

 private:
  // Each task outlives the measurement.
  std::string config() const {
    return "keys_max = 2000\n[[class]]\nname = \"watched\"\ntypes = [\"bad\"]\nsize = " +
           std::to_string(workers_) + "\nsize_min = 1\nsize_max = 2000\ncommand = [\"" +
           test::program("test-bad-worker") + "\", \"" + scratch_.path() + "\"]\n";
  }

  static std::uint64_t count(const test::RealDaemon& daemon, const char* name) {
    const auto status = test::status_of(daemon);
    return status.contains("performance") ? status.at("performance").value(name, 0ULL) : 0;
  }

  bool all_are(const test::RealDaemon& daemon, const std::string& state) const {
    const auto ran = daemon.call("workers --json");
    const auto text = "\"state\":\"" + state + "\"";
    std::uint64_t found = 0;
    for (auto at = ran.output.find(text); at != ran.output.npos;
         at = ran.output.find(text, at + 1)) {
      ++found;
    }
    return found == workers_;
  }

  bool are_ready(const test::RealDaemon& daemon) const {
    return test::eventually([&] { return all_are(daemon, "ready"); }, std::chrono::seconds(120));
  }

  bool are_running(const test::RealDaemon& daemon) {
    const bool all = test::eventually([&] { return all_are(daemon, "running"); });
    if (!all) report_.violation("not all of them were busy");
    return all;
  }

  void keep_busy(const test::RealDaemon& daemon) {
    sender_.emplace(daemon.directory() + "/warmpool.sock", "sender");
    const auto work = "silent:" + std::to_string(ms_ + 60'000);
    for (std::uint64_t i = 0; i < workers_; ++i) sender_->submit("bad", work);
  }

  // Of one core.
  double percent(const test::RealDaemon& daemon) const {
    ::poll(nullptr, 0, ms_ / 10);  // what it was asked until now is over
    const auto begin = monotonic_nanoseconds();
    const double before = cpu_of(daemon.pid());
    ::poll(nullptr, 0, ms_);
    const double used = cpu_of(daemon.pid()) - before;
    return 100 * used / (static_cast<double>(monotonic_nanoseconds() - begin) / 1e9);
  }

  void tell(double idle, double silent, const std::string& taken) {
    char text[64];
    std::snprintf(text, sizeof text, "%.2f and %.2f", idle, silent);
    report_.row("workers", workers_);
    report_.row("seconds", one_decimal(ms_ / 1e3) + " each");
    report_.row("idle, then busy and silent, % of a core", text);
    report_.row("machine when it began", taken);
    const bool met = idle < kPercentMost && silent < kPercentMost;
    const bool enough = workers_ >= kWatched && plan_.minutes >= 1;
    FigureBook book(plan_.out);
    book.put("500 workers watched, idle or busy and silent, % of a core",
             {.n = std::to_string(workers_),
              .most = text,
              .met = !enough ? Met::TooFew
                     : met   ? Met::Yes
                             : Met::No,
              .taken = taken});
    book.save();
  }

  Plan plan_;
  std::uint64_t workers_;
  int ms_;
  Report report_{"What watching workers costs"};
  Scratch scratch_;
  std::optional<Sender> sender_;
};

}  // namespace

int watching_campaign(const Plan& plan) { return Watching(plan).run(); }

}  // namespace warmpool::campaign
