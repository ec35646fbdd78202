// The program of docs/sdk.md (conformance) around the C++ client: commands by lines on standard
// input, what becomes of them on standard output.
#include <array>
#include <cstdio>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "client/client.hpp"
#include "ipc/metas.hpp"

using namespace warmpool;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t at = 0; at + 1 < hex.size(); at += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(at, 2), nullptr, 16));
  }
  return bytes;
}

std::string to_hex(const std::string& bytes) {
  std::string hex;
  for (const char byte : bytes) {
    std::array<char, 3> two{};
    std::snprintf(two.data(), two.size(), "%02x", static_cast<unsigned char>(byte));
    hex += two.data();
  }
  return hex;
}

void take_payload(const json& payload, client::SubmitOptions& options) {
  const std::string kind = payload.begin().key();
  const json& value = payload.begin().value();
  if (kind == "text") {
    options.content = Content::Utf8;
    options.payload = value.get<std::string>();
  } else if (kind == "hex") {
    options.payload = from_hex(value.get<std::string>());
  } else if (kind == "value") {
    options.content = Content::Json;
    options.payload = value.dump();
  } else {
    const auto packed = json::to_msgpack(value);
    options.content = Content::Msgpack;
    options.payload.assign(packed.begin(), packed.end());
  }
}

json told(const std::string& bytes, Content content) {
  if (content == Content::Utf8) return {{"text", bytes}};
  if (content == Content::Json) return {{"value", json::parse(bytes)}};
  if (content == Content::Msgpack) return {{"packed", json::from_msgpack(bytes)}};
  return {{"hex", to_hex(bytes)}};
}

std::optional<Duration> duration(const json& options, const char* name) {
  if (!options.contains(name)) return std::nullopt;
  return Duration{options.at(name).get<std::int64_t>() * 1'000'000};
}

client::SubmitOptions submit_from(const json& command) {
  const json& wishes = command.at("options");
  client::SubmitOptions options;
  options.type = command.at("type").get<std::string>();
  take_payload(command.at("payload"), options);
  options.wait = true;
  options.progress = wishes.value("progress", false);
  options.auto_key = wishes.value("auto_key", true);
  options.keep_result = wishes.value("keep_result", false);
  options.cancel_on_disconnect = wishes.value("cancel_on_disconnect", false);
  options.timeout = duration(wishes, "timeout_ms");
  options.deadline = duration(wishes, "deadline_ms");
  options.expiry = duration(wishes, "expiry_ms");
  options.delay = duration(wishes, "delay_ms");
  if (const auto at = duration(wishes, "run_at_ms")) options.run_at = WallTime{at->ns};
  if (wishes.contains("priority")) options.priority = wishes["priority"].get<std::uint64_t>();
  if (wishes.contains("retries")) options.retries = wishes["retries"].get<std::uint64_t>();
  if (wishes.contains("crashes_max"))
    options.crashes_max = wishes["crashes_max"].get<std::uint64_t>();
  if (wishes.contains("key")) options.key = wishes["key"].get<std::string>();
  options.tenant = wishes.value("tenant", "");
  options.labels = wishes.value("labels", std::vector<std::string>{});
  if (wishes.value("durability", "") == "none") options.durability = Durability::None;
  return options;
}

void say(json members, const char* what, const json& as = nullptr) {
  members["says"] = what;
  members["as"] = as;
  std::cout << members.dump() << std::endl;
}

class Program {
 public:
  // False at the end of standard input.
  bool turn() {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (line_waits()) return read_command();
    if (!client_ || dead_) {
      ::poll(&input, 1, -1);
    } else {
      // Also while nothing is open: pings are answered, and a broken connection is dialled again.
      const auto event = client_->wait_any(client::in(60s), {&input, 1});
      dead_ = !event;
      if (event && *event) {
        std::visit([this](const auto& one) { tell(one); }, **event);
      }
    }
    return input.revents == 0 || read_some();
  }

 private:
  bool line_waits() const { return input_.find('\n') != std::string::npos; }

  bool read_some() {
    std::array<char, 65536> part{};
    const auto bytes = ::read(STDIN_FILENO, part.data(), part.size());
    if (bytes > 0) input_.append(part.data(), static_cast<std::size_t>(bytes));
    return bytes > 0;
  }

  bool read_command() {
    const auto end = input_.find('\n');
    const json command = json::parse(input_.substr(0, end));
    input_.erase(0, end + 1);
    act_on(command);
    return true;
  }

  void act_on(const json& command) {
    const std::string what = command.at("do").get<std::string>();
    if (what == "connect") return connect(command);
    if (what == "submit") return remember(command, client_->submit(submit_from(command)));
    if (what == "await") return remember(command, client_->await(task_of(command)));
    if (what == "cancel") return remember(command, client_->cancel_later(task_of(command)));
    if (what == "request") return request(command);
    client_.reset();
    names_.clear();
    dead_ = false;
    say({}, "closed");
  }

  static TaskId task_of(const json& command) {
    return TaskId{std::stoull(command.at("id").get<std::string>())};
  }

  void remember(const json& command, client::Ticket ticket) {
    names_[ticket.value] = command.at("as").get<std::string>();
  }

  void connect(const json& command) {
    client::ConnectOptions options{.socket = command.at("socket").get<std::string>()};
    const std::chrono::milliseconds patience(command.at("reconnect_ms").get<std::int64_t>());
    options.reconnect.enabled = patience.count() > 0;
    options.reconnect.give_up_after = patience;
    auto made = client::Client::connect(options);
    if (!made)
      return say({{"code", made.error().code}, {"text", made.error().text}}, "unconnected");
    client_.emplace(std::move(*made));
    say({}, "connected");
  }

  // Blocks: until the reply; what else comes meanwhile is kept by the client.
  void request(const json& command) {
    ipc::RequestMeta meta;
    for (const auto& row : ipc::verb_rows()) {
      if (command.at("verb") == row.name) meta.verb = row.verb;
    }
    std::size_t place = 0;
    for (const auto& argument : command.at("arguments")) {
      if (argument.is_boolean()) {
        meta.arguments[place++] = argument.get<bool>();
      } else {
        meta.arguments[place++] = argument.get<std::uint64_t>();
      }
    }
    const auto reply = client_->request(meta, client::in(60s));
    const json& as = command.at("as");
    if (reply) return say({{"document", json::parse(*reply)}}, "reply", as);
    const char* what = reply.error().code >= 100 ? "refused" : "lost";
    say({{"code", reply.error().code}, {"text", reply.error().text}}, what, as);
  }

  const std::string& asked(client::Ticket ticket) const { return names_.at(ticket.value); }

  void tell(const client::Accepted& event) {
    say({{"id", std::to_string(event.task.value)}, {"duplicate", event.duplicate}}, "accepted",
        asked(event.ticket));
  }
  void tell(const client::Refused& event) {
    say({{"code", event.code},
         {"text", event.text},
         {"retry_after_ms", event.retry_after.ns / 1'000'000}},
        "refused", asked(event.ticket));
  }
  void tell(const client::Settled& event) {
    const Content content = event.verdict == Verdict::Done ? event.content : Content::Utf8;
    say({{"verdict", std::string(warmpool::name_of(event.verdict))},
         {"cause", std::string(warmpool::name_of(event.cause))},
         {"payload", told(std::string(event.text()), content)}},
        "settled", asked(event.ticket));
  }
  void tell(const client::Progressed& event) {
    say({{"permille", event.permille}, {"text", event.text}}, "progressed", asked(event.ticket));
    if (event.partial.empty()) return;
    say({{"payload", told(event.partial, event.content)}}, "partial", asked(event.ticket));
  }
  void tell(const client::Cancelled& event) {
    say({{"rung", std::string(warmpool::name_of(event.rung))},
         {"state", std::string(warmpool::name_of(event.state))}},
        "cancelled", asked(event.ticket));
  }
  void tell(const client::Unknown& event) {
    say({{"text", event.text}}, "lost", asked(event.ticket));
  }
  void tell(const client::Happened&) {}
  void tell(const client::HappenedAll&) {}

  std::optional<client::Client> client_;
  bool dead_ = false;
  std::map<std::uint64_t, std::string> names_;  // by ticket
  std::string input_;
};

}  // namespace

int main() {
  Program program;
  while (program.turn()) {
  }
}
