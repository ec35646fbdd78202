#include "daemon/alerts/alerts.hpp"

#include <algorithm>

#include "daemon/alerts/alert_json.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::uint64_t kFileBytesMax = std::uint64_t{4} << 20;
// A file system on the network may let statvfs wait.
constexpr Duration kDiskInterval = seconds(10);

SpawnSpec shell(const std::string& command, const std::string& document) {
  SpawnSpec spec;
  spec.command = {"/bin/sh", "-c", command};
  spec.environment = {"WARMPOOL_ALERTS=" + document};
  return spec;
}

SpawnSpec post(const std::string& url, const std::string& document) {
  SpawnSpec spec;
  spec.command = {
      "curl",       "--silent", "--show-error", "--fail",   "--max-time",
      "20",         "--output", "/dev/null",    "--header", "Content-Type: application/json",
      "--data-raw", document,   "--url",        url};
  return spec;
}

}  // namespace

Alerts::Alerts(Services& services, ProcessPort& processes, const Workers& workers, Notices& notices,
               std::string store_directory)
    : services_(services),
      workers_(workers),
      notices_(notices),
      store_directory_(std::move(store_directory)),
      occurrences_(services, workers),
      file_(services.options().alert_file, kFileBytesMax),
      command_(services, processes, "alert_command", 0),
      webhook_(services, processes, "alert_webhook", 1) {
  set_options();
}

void Alerts::set_options() {
  const auto& options = services_.options();
  book_.set_times({options.alert_stays, options.alert_clear_after, options.alert_repeat});
  book_.set_past_max(options.alerts_max);
  if (file_.path() != options.alert_file) file_ = BoundedFile(options.alert_file, kFileBytesMax);
  if (options.alert_file.empty()) file_trouble_.clear();
  const auto use = [](AlertProgram& program, const std::string& text, auto make) {
    if (text.empty()) return program.set_command({});
    program.set_command([=](const std::string& document) { return make(text, document); });
  };
  use(command_, options.alert_command, shell);
  use(webhook_, options.alert_webhook, post);
}

void Alerts::add(std::vector<Sighting> seen, bool happened) {
  const auto& off = services_.options().alerts_off;
  std::erase_if(seen, [&](const auto& one) { return is_among(off, row_of(one.alert).name); });
  const auto now = services_.engine.now();
  if (!happened) return book_.see(std::move(seen), now);
  for (auto& one : seen) book_.happened(std::move(one), now);
}

void Alerts::look(const Surroundings& now) {
  const auto instant = services_.engine.now();
  if (disk_seen_.ns == 0 || disk_seen_ + kDiskInterval <= instant) {
    disk_ = disk_space(store_directory_);
    disk_seen_ = instant;
  }
  auto seen = alert_states(services_, workers_, now, disk_);
  std::ranges::move(channels(), std::back_inserter(seen));
  add(std::move(seen), false);
}

std::vector<Sighting> Alerts::channels() const {
  std::vector<Sighting> seen;
  const auto add_trouble = [&](std::string_view name, const std::string& trouble) {
    if (trouble.empty()) return;
    seen.push_back({Alert::Channel, std::string(name), "alerts are not told: " + trouble});
  };
  add_trouble("alert_file", file_trouble_);
  add_trouble(command_.name(), command_.figures().trouble);
  add_trouble(webhook_.name(), webhook_.figures().trouble);
  return seen;
}

void Alerts::on_notice(const Notification& notification) {
  auto seen = occurrences_.seen_in(notification);
  if (!seen.empty()) add(std::move(seen), true);
}

// That a channel fails is told by the others alone.
void Alerts::tell() {
  for (const auto& news : book_.take_news()) {
    const auto& what = news.alert.what;
    Notification told{.notice = news.change == AlertChange::Resolved ? Notice::AlertResolved
                                                                     : Notice::AlertRaised};
    told.alert = news.alert.number;
    told_now_ = &news.alert;
    if (news.change != AlertChange::Repeated) notices_.carry(command::Notify{told});
    told_now_ = nullptr;
    auto document = alert_json(news.alert, services_.engine.clock());
    document["change"] = name_of(news.change);
    const auto line = text_of(document);
    const auto is_own = [&](std::string_view name) {
      return what.alert == Alert::Channel && what.subject == name;
    };
    if (!is_own("alert_file")) write(line);
    if (!is_own(command_.name())) command_.tell(line);
    if (!is_own(webhook_.name())) webhook_.tell(line);
  }
}

void Alerts::write(const std::string& line) {
  if (file_.path().empty()) return;
  auto written = file_.append(line);
  file_trouble_ = written ? "" : "cannot write " + file_.path() + ": " + written.error().text;
}

void Alerts::sweep() {
  command_.sweep();
  webhook_.sweep();
}

}  // namespace warmpool::daemon
