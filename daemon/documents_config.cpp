// Every option with its origin. The environment of workers may hold secrets: names only.
#include "daemon/config/configuration.hpp"
#include "daemon/documents.hpp"
#include "daemon/json.hpp"

namespace warmpool::daemon {
namespace {

template <class Owner>
std::string shown_value(const Owner& owner, const OptionRow<Owner>& row) {
  return option_text(owner, row);
}

template <>
std::string shown_value(const ClassOptions& owner, const OptionRow<ClassOptions>& row) {
  if (row.name != "environment") return option_text(owner, row);
  std::string names;
  for (const auto& pair : owner.environment) {
    names += (names.empty() ? "" : " ") + pair.substr(0, pair.find('=')) + "=...";
  }
  return names;
}

template <class Owner>
void add_rows(const Sourced<Owner>& sourced, std::span<const OptionRow<Owner>> rows,
              const std::string& prefix, Json& list) {
  for (const auto& row : rows) {
    const auto at = sourced.origins.find(row.name);
    const Origin origin = at == sourced.origins.end() ? Origin{} : at->second;
    Json json{{"name", prefix + std::string(row.name)},
              {"value", shown_value(sourced.values, row)},
              {"default", row.default_text},
              {"origin", origin_text(origin)},
              {"layer", layer_name(origin.layer)},
              {"reloadable", row.reloadable},
              {"help", row.help}};
    if (origin.line != 0) {
      json["file"] = origin.where;
      json["line"] = origin.line;
    }
    list.push_back(std::move(json));
  }
}

}  // namespace

std::string Documents::config() const {
  const auto& configuration = services_.configuration;
  Json options = Json::array();
  add_rows(configuration.pool, pool_option_rows(), "", options);
  for (const auto& worker_class : configuration.classes) {
    if (worker_class.brought) continue;  // it is configured nowhere
    add_rows(worker_class, class_option_rows(), "class." + worker_class.values.name + ".", options);
  }
  for (const auto& type : configuration.types) {
    add_rows(type, type_option_rows(), "type." + type.values.name + ".", options);
  }
  return text_of({{"schema", kDocumentSchema},
                  {"files", configuration.files},
                  {"notes", configuration.notes},
                  {"options", std::move(options)}});
}

}  // namespace warmpool::daemon
