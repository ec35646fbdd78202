// For people who edit a file and for programs that watch over one.
#include "daemon/config/check_config.hpp"

#include <algorithm>
#include <thread>

#include <nlohmann/json.hpp>

namespace warmpool::daemon {

namespace {

// Nothing of that is forbidden: somebody may scale one class down before another up.
void add_memory_warning(const Configuration& configuration, std::vector<std::string>& warnings) {
  const std::uint64_t total = configuration.pool.values.memory_total;
  std::uint64_t all = 0, largest = 0;
  for (const auto& worker_class : configuration.classes) {
    all += worker_class.values.size * worker_class.values.memory_declared;
    largest = std::max(largest, worker_class.values.memory_declared);
  }
  if (total == 0 || all + largest <= total) return;
  const auto what = "memory_declared of all workers is " + bytes_text(all) + " of " +
                    bytes_text(total) + " (memory_total): ";
  warnings.push_back(what + (all > total ? "some of them wait until others end"
                                         : "there is no room for the successor of a worker of " +
                                               bytes_text(largest) +
                                               ", which is replaced when others have ended"));
}

void add_task_memory_warnings(const Configuration& configuration,
                              std::vector<std::string>& warnings) {
  const std::uint64_t total = configuration.pool.values.memory_tasks_total;
  for (const auto& type : configuration.types) {
    const auto& options = type.values;
    const auto memory = *parse_task_memory(options.memory);
    const auto what = "type '" + options.name + "': memory (" + options.memory + ")";
    if (memory.any() && total == 0) {
      warnings.push_back(what + " says nothing while memory_tasks_total is 0");
    } else if (memory.bytes > total) {
      warnings.push_back(what + " is more than memory_tasks_total (" + bytes_text(total) +
                         "): its tasks run while no other runs that needs memory");
    }
  }
}

}  // namespace

std::vector<std::string> config_warnings(const Configuration& configuration) {
  std::vector<std::string> warnings;
  std::uint64_t workers = 0;
  for (const auto& worker_class : configuration.classes) workers += worker_class.values.size;
  const auto cores = std::thread::hardware_concurrency();
  if (cores != 0 && workers > cores) {
    warnings.push_back(std::to_string(workers) + " workers share " + std::to_string(cores) +
                       " cores: good for tasks that wait, too many for tasks that compute");
  }
  add_memory_warning(configuration, warnings);
  add_task_memory_warnings(configuration, warnings);
  return warnings;
}

std::string check_text(const Configuration& configuration, const Problems& problems) {
  std::string text;
  for (const auto& problem : problems) text += problem_text(problem) + "\n";
  if (!problems.empty()) return text;
  for (const auto& note : configuration.notes) text += "note: " + note + "\n";
  for (const auto& warning : config_warnings(configuration)) text += "note: " + warning + "\n";
  return text + "ok\n";
}

std::string check_json(const Configuration& configuration, const Problems& problems) {
  using Json = nlohmann::ordered_json;
  Json list = Json::array();
  for (const auto& problem : problems) {
    Json json{{"origin", origin_text(problem.origin)}, {"text", problem.text}};
    if (problem.origin.line != 0) {
      json["file"] = problem.origin.where;
      json["line"] = problem.origin.line;
      json["column"] = problem.origin.column;
    }
    list.push_back(std::move(json));
  }
  auto notes = configuration.notes;
  for (auto& warning : config_warnings(configuration)) notes.push_back(std::move(warning));
  const Json document{{"schema", 1},
                      {"ok", problems.empty()},
                      {"problems", std::move(list)},
                      {"files", configuration.files},
                      {"notes", std::move(notes)}};
  return document.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace warmpool::daemon
