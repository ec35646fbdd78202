// Values are compared as text, in the form that `config show` prints: one rule for all kinds.
#include "daemon/config/reload.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace warmpool::daemon {
namespace {

template <class Owner>
bool reload_rows(Sourced<Owner>& running, const Sourced<Owner>& fresh,
                 std::span<const OptionRow<Owner>> rows, const std::string& prefix,
                 Reload& reload) {
  bool any = false;
  for (const auto& row : rows) {
    const auto before = option_text(running.values, row);
    const auto after = option_text(fresh.values, row);
    if (before == after) continue;
    // What a worker finds in its environment may be a secret.
    const bool secret = row.name == "environment";
    auto line = prefix + std::string(row.name) +
                (secret ? std::string(" changed") : ": '" + before + "' -> '" + after + "'");
    if (!row.reloadable) {
      reload.needs_restart.push_back(std::move(line));
      continue;
    }
    std::visit([&](auto field) { running.values.*field = fresh.values.*field; }, row.field);
    const std::string name(row.name);
    running.origins.erase(name);
    if (const auto at = fresh.origins.find(name); at != fresh.origins.end()) {
      running.origins[name] = at->second;
    }
    reload.changed.push_back(std::move(line));
    any = true;
  }
  return any;
}

auto find_class(auto& classes, const std::string& name) {
  return std::ranges::find_if(
      classes, [&](const auto& known) { return known.values.name == name && !known.brought; });
}

// Tables of types come and go while the daemon runs.
void reload_types(std::vector<Sourced<TypeOptions>>& running,
                  const std::vector<Sourced<TypeOptions>>& fresh, Reload& reload) {
  const auto before = reload.changed.size();
  const auto named = [](auto& types, const std::string& name) {
    return std::ranges::find_if(types, [&](const auto& type) { return type.values.name == name; });
  };
  for (const auto& again : fresh) {
    const auto& name = again.values.name;
    const auto known = named(running, name);
    if (known == running.end()) {
      reload.changed.push_back("type '" + name + "' is new");
    } else {
      reload_rows(*known, again, type_option_rows(), "type '" + name + "': ", reload);
    }
  }
  for (const auto& known : running) {
    if (named(fresh, known.values.name) != fresh.end()) continue;
    reload.changed.push_back("type '" + known.values.name + "' is gone");
  }
  running = fresh;  // in their order, which decides between patterns
  reload.types_changed = reload.changed.size() != before;
}

// What a class names for the next attempt does not run before the restart: until then a death here
// binds to nothing, and any class that serves the type goes on.
void note_unbound(const Configuration& running, const std::vector<std::string>& changed,
                  Reload& reload) {
  for (const auto& known : running.classes) {
    const ClassOptions& options = known.values;
    if (std::ranges::find(changed, options.name) == changed.end()) continue;
    for (const auto& [option, next] :
         {std::pair("retry_memory_class", &options.retry_memory_class),
          std::pair("retry_timeout_class", &options.retry_timeout_class)}) {
      if (next->empty() || find_class(running.classes, *next) != running.classes.end()) continue;
      reload.needs_restart.push_back("class '" + options.name + "': " + option + " = '" + *next +
                                     "' binds no task before class '" + *next + "' runs");
    }
  }
}

}  // namespace

Reload reload_configuration(Configuration& running, const Configuration& fresh) {
  Reload reload;
  reload.pool_changed = reload_rows(running.pool, fresh.pool, pool_option_rows(), "", reload);
  reload_types(running.types, fresh.types, reload);
  for (auto& known : running.classes) {
    if (known.brought) continue;
    const auto& name = known.values.name;
    const auto again = find_class(fresh.classes, name);
    if (again == fresh.classes.end()) {
      reload.needs_restart.push_back("class '" + name + "' is gone");
    } else if (reload_rows(known, *again, class_option_rows(), "class '" + name + "': ", reload)) {
      reload.classes_changed.push_back(name);
    }
  }
  for (const auto& added : fresh.classes) {
    if (find_class(running.classes, added.values.name) == running.classes.end()) {
      reload.needs_restart.push_back("class '" + added.values.name + "' is new");
    }
  }
  note_unbound(running, reload.classes_changed, reload);
  running.notes = fresh.notes;
  return reload;
}

}  // namespace warmpool::daemon
