// A pattern is tried when a name is first seen, and never again: submits find a number.
#include "daemon/names.hpp"

#include <algorithm>

namespace warmpool::daemon {

bool is_pattern(std::string_view name) {
  return name.find_first_of("*?") != std::string_view::npos;
}

// On a mismatch goes back to the last star and lets it take one byte more: quadratic at worst, and
// names have at most 255 bytes.
bool matches_pattern(std::string_view pattern, std::string_view name) {
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;
  std::size_t retry = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

TypeTable::TypeTable(const std::vector<ClassOptions>& classes) {
  for (const auto& options : classes) classes_.push_back({options.types, options.types_later});
  for (const auto& options : classes) {
    for (const auto& name : options.types) {
      if (!is_pattern(name) && !numbers_.contains(name)) add(name);
    }
  }
}

std::optional<TypeId> TypeTable::find(std::string_view name) const {
  const auto found = numbers_.find(std::string(name));
  if (found == numbers_.end()) return std::nullopt;
  return TypeId{found->second};
}

std::optional<TypeTable::Interned> TypeTable::intern(std::string_view name) {
  if (const auto known = find(name)) return Interned{*known, false};
  if (name.empty() || types_.size() >= kTypesMax) return std::nullopt;
  const bool later = std::ranges::any_of(classes_, &Class::later);
  if (!later && classes_of(name).empty()) return std::nullopt;
  return Interned{add(name), true};
}

TypeTable::Interned TypeTable::remember(std::string_view name) {
  if (const auto known = find(name)) return {*known, false};
  return {add(name), true};
}

TypeId TypeTable::add(std::string_view name) {
  const auto number = static_cast<std::uint32_t>(types_.size());
  types_.push_back({std::string(name), classes_of(name)});
  numbers_.emplace(name, number);
  return TypeId{number};
}

std::vector<ClassId> TypeTable::classes_of(std::string_view name) const {
  std::vector<ClassId> serving;
  for (std::size_t i = 0; i < classes_.size() && serving.size() < kClassesMax; ++i) {
    const auto matches = [&](const auto& pattern) { return matches_pattern(pattern, name); };
    if (std::ranges::any_of(classes_[i].patterns, matches)) {
      serving.push_back(ClassId{static_cast<std::uint16_t>(i)});
    }
  }
  return serving;
}

const std::string* TypeTable::full_type(ClassId worker_class,
                                        const std::vector<std::string>& patterns) const {
  const auto is_full = [&](std::string_view name) {
    const auto others = std::ranges::count_if(classes_, [&](const Class& one) {
      const auto matches = [&](const auto& pattern) { return matches_pattern(pattern, name); };
      return static_cast<std::size_t>(&one - classes_.data()) != worker_class.value &&
             std::ranges::any_of(one.patterns, matches);
    });
    return static_cast<std::size_t>(others) >= kClassesMax;
  };
  for (const auto& pattern : patterns) {
    if (is_full(pattern)) return &pattern;
    if (!is_pattern(pattern)) continue;
    for (const auto& type : types_) {
      if (matches_pattern(pattern, type.name) && is_full(type.name)) return &pattern;
    }
  }
  return nullptr;
}

event::TypeDeclared TypeTable::declared(TypeId type) const {
  event::TypeDeclared event{type};
  for (const auto worker_class : at(type).classes) event.classes[event.count++] = worker_class;
  return event;
}

std::vector<TypeId> TypeTable::serve(ClassId worker_class,
                                     const std::vector<std::string>& patterns) {
  if (worker_class.value >= classes_.size()) classes_.resize(worker_class.value + std::size_t{1});
  classes_[worker_class.value] = {patterns, false};
  const auto before = types_.size();
  for (const auto& name : patterns) {
    const bool fits = types_.size() < kTypesMax;
    if (!is_pattern(name) && !numbers_.contains(name) && fits) add(name);
  }
  std::vector<TypeId> changed;
  for (std::size_t i = 0; i < types_.size(); ++i) {
    auto serving = classes_of(types_[i].name);
    if (i < before && serving == types_[i].classes) continue;
    types_[i].classes = std::move(serving);
    changed.push_back(TypeId{static_cast<std::uint32_t>(i)});
  }
  return changed;
}

void TypeTable::set_types_later(ClassId worker_class, bool later) {
  classes_[worker_class.value].later = later;
}

std::string TypeTable::known_text() const {
  constexpr std::size_t shown_max = 30;
  std::vector<std::string> names;
  for (const auto& worker_class : classes_) {
    for (const auto& pattern : worker_class.patterns) {
      if (std::ranges::find(names, pattern) == names.end()) names.push_back(pattern);
    }
  }
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < shown_max; ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  if (names.size() > shown_max) text += " ...";
  return text;
}

std::optional<TenantId> TenantTable::intern(std::string_view name) {
  if (name.empty()) return TenantId{};
  const auto found = numbers_.find(std::string(name));
  if (found != numbers_.end()) return TenantId{found->second};
  if (names_.size() >= kTenantsMax) return std::nullopt;
  return remember(name);
}

TenantId TenantTable::remember(std::string_view name) {
  if (name.empty()) return TenantId{};
  const auto found = numbers_.find(std::string(name));
  if (found != numbers_.end()) return TenantId{found->second};
  const auto number = static_cast<std::uint32_t>(names_.size());
  names_.emplace_back(name);
  numbers_.emplace(name, number);
  return TenantId{number};
}

}  // namespace warmpool::daemon
