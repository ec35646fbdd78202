#include "client/cli/task_options.hpp"

#include "client/cli/declare.hpp"
#include "client/cli/json_text.hpp"

namespace warmpool::cli {

namespace {

template <class Enum>
std::vector<std::string> names_of() {
  std::vector<std::string> names;
  for (const auto& row : Words<Enum>::rows) {
    names.emplace_back(row.name);
  }
  return names;
}

}  // namespace

void TaskOptions::declare(CLI::App& app) {
  add_priority(app, priority);
  add_time(app, "--timeout", timeout, "how long one run may take");
  add_time(app, "--deadline", deadline, "how long all of it may take, from its acceptance");
  add_time(app, "--expiry", expiry, "how long it may wait for a worker");
  add_count(app, "--retries", retries, "how often it is tried again after a failure");
  add_text(app, "--tenant", tenant, "NAME", "on whose behalf; its own queue");
  add_texts(app, "--label", labels, "NAME", "a name to find it by; may be given again");
  add_text(app, "--durability", durability, "WHAT", "how surely it is kept: full, relaxed or none")
      .one_of(names_of<Durability>());
  add_text(app, "--content", content, "WHAT",
           "what the payload is: bytes, utf8, json or msgpack; else as it looks")
      .one_of(names_of<Content>());
}

client::SubmitOptions TaskOptions::submit_options(std::string type, std::string payload) const {
  client::SubmitOptions options;
  options.type = std::move(type);
  options.content =
      content.empty() ? content_of_text(payload) : find_word<Content>(content).value();
  options.payload = std::move(payload);
  options.priority = priority;
  options.timeout = timeout;
  options.deadline = deadline;
  options.expiry = expiry;
  options.retries = retries;
  options.tenant = tenant;
  options.labels = labels;
  options.durability = find_word<Durability>(durability).value();
  return options;
}

}  // namespace warmpool::cli
