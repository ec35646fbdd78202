#include "tests/campaign/workers/watch.hpp"

#include <poll.h>

#include <nlohmann/json.hpp>

#include "tests/campaign/ledger.hpp"

namespace warmpool::campaign {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

std::string text_of(const json& document, const char* name) {
  const auto found = document.find(name);
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<std::int64_t> number_of(const json& document, const char* name) {
  const auto found = document.find(name);
  if (found == document.end() || !found->is_number()) return std::nullopt;
  return found->get<std::int64_t>();
}

Heard heard_of(const json& document) {
  Heard heard;
  heard.at = monotonic_nanoseconds();
  heard.event = text_of(document, "event");
  heard.slot = text_of(document, "worker");
  heard.worker_class = text_of(document, "class");
  heard.cause = text_of(document, heard.event == "worker-error"      ? "error"
                                  : heard.event == "worker-recycled" ? "reason"
                                                                     : "cause");
  heard.worker = static_cast<std::uint64_t>(number_of(document, "worker_id").value_or(0));
  const auto signal = number_of(document, "signal");
  heard.code = static_cast<int>(signal ? -*signal : number_of(document, "code").value_or(0));
  return heard;
}

}  // namespace

Watch::Watch(const std::string& socket) : thread_([this, socket] { run(socket); }) {}

Watch::~Watch() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  thread_.join();
}

void Watch::run(const std::string& socket) {
  client::ConnectOptions options;
  options.socket = socket;
  options.name = "watch";
  options.reconnect.delay_max = 20ms;
  options.reconnect.give_up_after = 1h;
  auto client = client::Client::connect(options);
  for (; !client; client = client::Client::connect(options)) {
    ::poll(nullptr, 0, 20);
    const std::lock_guard lock(mutex_);
    if (ending_) return;
  }
  client->events(
      {.follow = true, .after = 0, .types = "worker-*,zombie-*,recovery-*,result-refused"});
  for (;;) {
    const auto event = client->wait_any(client::in(20ms));
    if (!event) return;
    if (*event) {
      if (const auto* happened = std::get_if<client::Happened>(&**event)) take(*happened);
    }
    const std::lock_guard lock(mutex_);
    if (ending_) return;
  }
}

void Watch::take(const client::Happened& event) {
  const auto document = json::parse(event.document, nullptr, false);
  if (!document.is_object()) return;
  const std::lock_guard lock(mutex_);
  if (event.gap) {
    missed_ += static_cast<std::uint64_t>(number_of(document, "missed").value_or(0));
    return;
  }
  heard_.push_back(heard_of(document));
  if (heard_.back().event == "worker-ready") workers_[heard_.back().slot] = heard_.back().worker;
  changed_.notify_all();
}

std::optional<Heard> Watch::wait(std::size_t from, const Fits& fits,
                                 std::chrono::milliseconds usual) const {
  const auto deadline = test::patience_ends(usual);
  std::unique_lock lock(mutex_);
  for (;;) {
    for (; from < heard_.size(); ++from) {
      if (fits(heard_[from])) return heard_[from];
    }
    if (changed_.wait_until(lock, deadline) == std::cv_status::timeout) return std::nullopt;
  }
}

std::size_t Watch::count() const {
  const std::lock_guard lock(mutex_);
  return heard_.size();
}

std::vector<Heard> Watch::from(std::size_t first) const {
  const std::lock_guard lock(mutex_);
  return {heard_.begin() + static_cast<std::ptrdiff_t>(std::min(first, heard_.size())),
          heard_.end()};
}

std::uint64_t Watch::worker_in(const std::string& slot) const {
  const std::lock_guard lock(mutex_);
  const auto found = workers_.find(slot);
  return found == workers_.end() ? 0 : found->second;
}

std::uint64_t Watch::missed() const {
  const std::lock_guard lock(mutex_);
  return missed_;
}

}  // namespace warmpool::campaign
