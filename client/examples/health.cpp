// Says whether a pool is well, what is wrong with it if not, and how each worker is. For cron or a
// monitor: exit status 0 healthy, 1 not, 2 nobody answers.
//
//   example-health
#include <cstdio>
#include <string>

#include <nlohmann/json.hpp>

#include "client/client.hpp"

namespace client = warmpool::client;

namespace {

using nlohmann::json;

enum Status { kHealthy = 0, kUnhealthy = 1, kUnreachable = 2 };

int fail(const std::string& text) {
  std::fprintf(stderr, "example-health: %s\n", text.c_str());
  return kUnreachable;
}

std::string text_at(const json& object, const char* name) {
  return object.at(name).get<std::string>();
}

void print_summary(const json& status) {
  const auto& health = status.at("health");
  const auto& workers = status.at("workers");
  std::printf("%s: %d of %d workers can work\n", text_at(health, "status").c_str(),
              workers.at("ready").get<int>() + workers.at("busy").get<int>(),
              workers.at("total").get<int>());
  for (const auto& alert : health.at("alerts")) {
    std::printf("%s: %s: %s\n", text_at(alert, "level").c_str(), text_at(alert, "name").c_str(),
                text_at(alert, "text").c_str());
  }
}

void print_workers(const json& document) {
  for (const auto& worker : document.at("workers")) {
    const auto& pid = worker.at("pid");  // null while there is none
    std::printf("%s: %s, %s, pid %s, %d tasks\n", text_at(worker, "id").c_str(),
                text_at(worker, "state").c_str(), text_at(worker, "health").c_str(),
                pid.is_null() ? "-" : std::to_string(pid.get<int>()).c_str(),
                worker.at("tasks_executed").get<int>());
  }
}

}  // namespace

int main() {
  // A monitor would rather know at once than wait for a daemon to come back.
  auto pool = client::Client::connect({.name = "example-health", .reconnect = {.enabled = false}});
  if (!pool) return fail(pool.error().text);
  const auto deadline = client::in(std::chrono::seconds(5));
  const auto status = pool->status(deadline);
  if (!status) return fail(status.error().text);
  const auto workers = pool->request({.verb = warmpool::ipc::Verb::Workers}, deadline);
  if (!workers) return fail(workers.error().text);
  const auto document = json::parse(*status);
  print_summary(document);
  print_workers(json::parse(*workers));
  return document.at("health").at("status") == "healthy" ? kHealthy : kUnhealthy;
}
