// Of which class a worker is that somebody else started. A configured class stays as its file says:
// who joins it handles some of its types, as those do that the daemon starts for it. A class that
// is in no file is what its first worker says of itself, and the others must be like it.
#include <algorithm>

#include "daemon/refusals.hpp"
#include "daemon/workers.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::uint64_t kCreditsMax = 64;

std::vector<std::string> sorted_types(const ipc::HelloMeta& hello) {
  std::vector<std::string> types(hello.types.begin(), hello.types.end());
  std::ranges::sort(types);
  types.erase(std::unique(types.begin(), types.end()), types.end());
  return types;
}

std::uint64_t concurrency_of(const ipc::HelloMeta& hello) {
  return std::max<std::uint64_t>(hello.concurrency, 1);
}

// One of the class, or all of some of the class: "*" is what handles anything.
bool is_of(const ClassOptions& options, std::string_view type) {
  return std::ranges::any_of(options.types, [&](const auto& served) {
    return matches_pattern(served, type) || matches_pattern(type, served);
  });
}

// One that can do more at once than its class is given no more than the class.
bool fits_configured(const ClassOptions& options, const ipc::HelloMeta& hello) {
  return options.concurrency <= concurrency_of(hello) &&
         std::ranges::all_of(hello.types, [&](auto type) { return is_of(options, type); });
}

// Whether it does what the others of this class do.
bool is_alike(const ClassOptions& options, const ipc::HelloMeta& hello) {
  const bool same = hello.types.empty() || options.types == sorted_types(hello);
  return same && options.concurrency == concurrency_of(hello);
}

Error differs(const ClassOptions& options) {
  constexpr std::size_t shown_max = 10;
  std::string types;
  for (std::size_t i = 0; i < options.types.size() && i < shown_max; ++i) {
    types += (i == 0 ? "" : ", ") + options.types[i];
  }
  if (options.types.size() > shown_max) types += " ...";
  return refused(Refusal::TypesDiffer,
                 "class '" + options.name + "' serves " + types + " with concurrency " +
                     std::to_string(options.concurrency) + "; say the same, or another class name");
}

ClassOptions options_for(const ipc::HelloMeta& hello) {
  auto options = default_class_options();
  options.name = hello.worker_class;
  options.types = sorted_types(hello);
  options.size = options.size_min = options.size_max = 0;
  options.concurrency = concurrency_of(hello);
  options.credits = kCreditsMax;
  options.registered_max = 10'000;  // the pool's own bound holds
  return options;
}

Result<void> check(const ipc::HelloMeta& hello) {
  if (!is_class_name(hello.worker_class)) {
    return refused(Refusal::BadArgument,
                   "a class name is 1 to 64 of a-z A-Z 0-9 _ - . ; give one in hello");
  }
  for (const auto type : hello.types) {
    if (type.empty()) return refused(Refusal::BadArgument, "a task type has at least one byte");
  }
  return {};
}

}  // namespace

Result<ClassId> Workers::class_for(const ipc::HelloMeta& hello) {
  if (auto checked = check(hello); !checked) return checked.error();
  auto& classes = services_.configuration.classes;
  const auto named = std::ranges::find_if(
      classes, [&](const auto& known) { return known.values.name == hello.worker_class; });
  if (named == classes.end()) return bring_class(hello);
  const ClassId id{static_cast<std::uint16_t>(named - classes.begin())};
  const auto& options = named->values;
  if (options.registered_max == 0) {
    return refused(Refusal::ClassTaken, "the configured class '" + options.name +
                                            "' takes no workers that others start; use another "
                                            "name, or set registered_max of the class");
  }
  if (!named->brought) {
    if (fits_configured(options, hello)) return id;
    return differs(options);
  }
  if (is_alike(options, hello)) return id;
  if (!is_empty(id)) return differs(options);
  return bring_class(hello);
}

// Those count that will be admitted at the end of this turn.
bool Workers::is_empty(ClassId id) const {
  const bool has_worker = std::ranges::any_of(workers_, [&](const auto& entry) {
    return entry.second->worker_class == id && !entry.second->buried;
  });
  return !has_worker && std::ranges::none_of(strangers_.asked, [&](const auto& entry) {
    return entry.second.worker_class == id;
  });
}

// That of the class of this name, or a new one, or that of a class that nobody is in any more: it
// is taken where there may be no more, or where it is one of those that keep others from a type.
Result<ClassId> Workers::place_for(const ClassOptions& options) {
  const auto& classes = services_.configuration.classes;
  const auto is_full = [&](ClassId id) { return services_.types.full_type(id, options.types); };
  std::vector<ClassId> places;
  std::size_t brought = 0;
  for (std::size_t at = 0; at < classes.size(); ++at) {
    if (!classes[at].brought) continue;
    ++brought;
    const ClassId id{static_cast<std::uint16_t>(at)};
    if (classes[at].values.name == options.name) {
      places = {id};
      break;
    }
    if (is_empty(id)) places.push_back(id);
  }
  const bool known = places.size() == 1 && services_.options_of(places[0]).name == options.name;
  if (!known && brought < services_.options().registered_classes_max) {
    places.insert(places.begin(), ClassId{static_cast<std::uint16_t>(classes.size())});
  }
  if (places.empty()) {
    return refused(Refusal::WorkersFull,
                   "there are as many classes of registered workers as may be "
                   "(registered_classes_max); join one of them, or raise it");
  }
  for (const auto place : places) {
    if (is_full(place) == nullptr) return place;
  }
  return refused(Refusal::WorkersFull, "task type '" + *is_full(places.front()) +
                                           "' is served by " +
                                           std::to_string(TypeTable::kClassesMax) +
                                           " classes, and no more can serve it; join one of them");
}

bool Workers::is_paused(ClassId id) const {
  const auto classes = services_.engine.pool().snapshot().classes;
  return id.value < classes.size() && classes[id.value].paused;
}

Result<ClassId> Workers::bring_class(const ipc::HelloMeta& hello) {
  if (hello.types.empty()) {
    return refused(Refusal::BadArgument, "name the task types that this worker handles");
  }
  auto options = options_for(hello);
  const auto id = place_for(options);
  if (!id) return id;
  auto& classes = services_.configuration.classes;
  if (id->value == classes.size()) {
    classes.emplace_back();
    identities_.emplace_back();
  }
  auto& its = classes[id->value];
  // A pause is of a name, and the place of one name becomes another's.
  const bool was_paused = is_paused(*id);
  if (was_paused && its.values.name != options.name)
    strangers_.paused_absent.insert(its.values.name);
  const bool paused = its.values.name == options.name
                          ? was_paused
                          : strangers_.paused_absent.erase(options.name) != 0;
  its = {.values = std::move(options), .origins = {}, .brought = true};
  services_.engine.step(event::ClassDeclared{*id, its.values});
  for (const auto type : services_.types.serve(*id, its.values.types)) {
    services_.declare(type);
  }
  if (paused != was_paused) {
    services_.engine.step(event::Pause{ClientId{}, RequestId{}, pause_of(*id), paused});
  }
  return id;
}

}  // namespace warmpool::daemon
