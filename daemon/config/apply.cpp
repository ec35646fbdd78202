// One template over the tables. Kind, unit and range are judged by set_option; only what it cannot
// see is judged here: whether a list was written where one text belongs, and the other way round.
#include "daemon/config/apply.hpp"

#include <span>

namespace warmpool::daemon {
namespace {

template <class Owner>
std::span<const OptionRow<Owner>> rows_of();
template <>
std::span<const OptionRow<Options>> rows_of() {
  return pool_option_rows();
}
template <>
std::span<const OptionRow<ClassOptions>> rows_of() {
  return class_option_rows();
}
template <>
std::span<const OptionRow<TypeOptions>> rows_of() {
  return type_option_rows();
}

template <class Owner>
std::vector<std::string> names_of() {
  std::vector<std::string> names;
  for (const auto& row : rows_of<Owner>()) names.emplace_back(row.name);
  return names;
}

template <class Owner>
const OptionRow<Owner>* find_row(std::string_view name) {
  for (const auto& row : rows_of<Owner>()) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

// What is wrong with the form, or empty.
std::string form_fault(OptionKind kind, const Setting& setting) {
  const std::string name = "'" + setting.name + "'";
  const bool is_list = setting.form == SettingForm::List;
  if (kind == OptionKind::Texts) {
    return is_list ? "" : name + " is a list: write it in brackets, as in [\"one\", \"two\"]";
  }
  if (is_list) return name + " is one value, not a list: leave out the brackets";
  const bool is_text = kind == OptionKind::Text || kind == OptionKind::Choice ||
                       kind == OptionKind::Mask || kind == OptionKind::Cpus ||
                       kind == OptionKind::Rules;
  if (is_text && setting.form != SettingForm::Text) return name + " is a text: put it in quotes";
  if (kind == OptionKind::Flag && setting.form == SettingForm::Number) {
    return name + " is true or false";
  }
  return "";
}

template <class Owner>
Result<void> set_values(Owner& owner, const OptionRow<Owner>& row, const Setting& setting) {
  Owner changed = owner;
  if (auto* list = std::get_if<std::vector<std::string> Owner::*>(&row.field)) {
    (changed.**list).clear();
  }
  for (const auto& value : setting.values) {
    if (auto set = set_option(changed, row.name, value); !set) return set;
  }
  owner = std::move(changed);
  return {};
}

// TOML takes what stands below [[class]] for the class's.
template <class Owner>
std::string unknown_hint(std::string_view name) {
  const bool of_pool = find_row<Options>(name) != nullptr;
  if (of_pool && find_row<TypeOptions>(name) != nullptr) {
    return "; it is the pool's or a type's: write it above the first [[class]], or below a "
           "[[type]]";
  }
  if (find_row<ClassOptions>(name) != nullptr) {
    return "; it is a class's: write it below a [[class]]";
  }
  if (of_pool) return "; it is the pool's: write it above the first [[class]]";
  return nearest_hint(name, names_of<Owner>());
}

template <class Owner>
void apply(Sourced<Owner>& sourced, const Setting& setting, std::string_view kind,
           Problems& problems) {
  const auto* row = find_row<Owner>(setting.name);
  if (row == nullptr) {
    problems.push_back({setting.origin, "there is no " + std::string(kind) + " option '" +
                                            setting.name + "'" +
                                            unknown_hint<Owner>(setting.name)});
    return;
  }
  if (auto fault = form_fault(row->kind, setting); !fault.empty()) {
    problems.push_back({setting.origin, std::move(fault)});
    return;
  }
  if (auto set = set_values(sourced.values, *row, setting); !set) {
    problems.push_back({setting.origin, set.error().text});
    return;
  }
  sourced.origins[setting.name] = setting.origin;
}

}  // namespace

void apply_settings(Sourced<Options>& pool, const std::vector<Setting>& settings,
                    Problems& problems) {
  for (const auto& setting : settings) apply(pool, setting, "pool", problems);
}

void apply_settings(Sourced<ClassOptions>& worker_class, const std::vector<Setting>& settings,
                    Problems& problems) {
  for (const auto& setting : settings) apply(worker_class, setting, "class", problems);
}

void apply_settings(Sourced<TypeOptions>& type, const std::vector<Setting>& settings,
                    Problems& problems) {
  for (const auto& setting : settings) apply(type, setting, "type", problems);
}

std::vector<std::string> pool_option_names() { return names_of<Options>(); }
std::vector<std::string> class_option_names() { return names_of<ClassOptions>(); }
std::vector<std::string> type_option_names() { return names_of<TypeOptions>(); }

}  // namespace warmpool::daemon
