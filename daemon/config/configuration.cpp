// Layers are applied in order over built-in values, so that the last one wins without any merging
// rule. A class that several files name is one class: later files change its options, which is how
// conf.d adjusts one machine.
#include "daemon/config/configuration.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <tuple>

#include "daemon/config/apply.hpp"
#include "daemon/config/environment.hpp"
#include "daemon/config/sizes.hpp"
#include "daemon/config/toml_file.hpp"
#include "daemon/names.hpp"

namespace warmpool::daemon {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kTypeBytesMax = 255;

bool read_file(const std::string& path, std::string& text) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream out;
  out << file.rdbuf();
  text = std::move(out).str();
  return file.good() && !fs::is_directory(path);
}

// What stands in the conf.d beside the file, in order of name.
std::vector<std::string> drop_ins(const std::string& file) {
  std::vector<std::string> paths;
  std::error_code ignored;
  for (const auto& entry :
       fs::directory_iterator(fs::path(file).parent_path() / "conf.d", ignored)) {
    if (entry.path().extension() == ".toml") paths.push_back(entry.path().string());
  }
  std::ranges::sort(paths);
  return paths;
}

class Loader {
 public:
  Loader(const Sources& sources, Problems& problems) : sources_(sources), problems_(problems) {
    built_.pool.values = default_options();
  }

  Configuration load() {
    load_files();
    auto settings = environment_settings(sources_.environment, built_.notes);
    settings.insert(settings.end(), sources_.arguments.begin(), sources_.arguments.end());
    const auto of_class = take_class_settings(settings);
    apply_settings(built_.pool, settings, problems_);
    if (built_.classes.empty() && problems_.empty()) add_stock_class();
    for (const auto& setting : of_class) set_only_class(setting);
    settle();
    return std::move(built_);
  }

 private:
  void load_files() {
    const auto file =
        sources_.config_file ? sources_.config_file : default_config_file(sources_.environment);
    if (!file) return;
    load_file(*file);
    for (const auto& path : drop_ins(*file)) load_file(path);
  }

  void load_file(const std::string& path) {
    std::string text;
    if (!read_file(path, text)) {
      problems_.push_back(
          {{Layer::File, path}, "cannot be read; check that it exists and its mode"});
      return;
    }
    built_.files.push_back(path);
    const auto settings = read_toml(text, path, sources_.environment, problems_);
    apply_settings(built_.pool, settings.pool, problems_);
    std::vector<std::string> named;
    for (const auto& table : settings.classes) load_class(table, named);
    named.clear();
    for (const auto& table : settings.types) load_type(table, named);
  }

  void load_class(const SettingTable& table, std::vector<std::string>& named) {
    const auto name = std::ranges::find(table.settings, "name", &Setting::name);
    if (name == table.settings.end() || name->form != SettingForm::Text) {
      problems_.push_back({table.origin, "this [[class]] needs a name, as in name = \"images\""});
      return;
    }
    const auto& text = name->values.front();
    if (!is_class_name(text)) {
      problems_.push_back({name->origin, "a class name is 1 to 64 of a-z A-Z 0-9 _ - and ."});
      return;
    }
    if (std::ranges::find(named, text) != named.end()) {
      problems_.push_back(
          {table.origin, "class '" + text + "' stands twice in this file; join them"});
      return;
    }
    named.push_back(text);
    apply_settings(class_named(text), table.settings, problems_);
  }

  void load_type(const SettingTable& table, std::vector<std::string>& named) {
    const auto name = std::ranges::find(table.settings, "name", &Setting::name);
    if (name == table.settings.end() || name->form != SettingForm::Text) {
      problems_.push_back({table.origin,
                           "this [[type]] needs a name: that of a task type, or a pattern, as in "
                           "name = \"http.*\""});
      return;
    }
    const auto& text = name->values.front();
    if (text.empty() || text.size() > kTypeBytesMax) {
      problems_.push_back({name->origin, "the name of a task type has 1 to 255 bytes"});
      return;
    }
    if (std::ranges::find(named, text) != named.end()) {
      problems_.push_back(
          {table.origin, "type '" + text + "' stands twice in this file; join them"});
      return;
    }
    named.push_back(text);
    apply_settings(type_named(text), table.settings, problems_);
  }

  Sourced<TypeOptions>& type_named(const std::string& name) {
    for (auto& known : built_.types) {
      if (known.values.name == name) return known;
    }
    auto& added = built_.types.emplace_back();
    added.values.name = name;
    return added;
  }

  Sourced<ClassOptions>& class_named(const std::string& name) {
    for (auto& known : built_.classes) {
      if (known.values.name == name) return known;
    }
    auto& added = built_.classes.emplace_back();
    added.values = default_class_options();
    added.values.name = name;
    return added;
  }

  void add_stock_class() {
    auto& stock = class_named("worker").values;
    stock.command = {(fs::path(sources_.program_directory) / "warmpool-worker").string()};
    stock.types = {"echo", "sleep", "fail", "crash", "file.digest", "exec"};
  }

  // Settings outside of files that are of a class and not of the pool, in order.
  static std::vector<Setting> take_class_settings(std::vector<Setting>& settings) {
    constexpr std::string_view prefix = "worker.";
    std::vector<Setting> taken;
    for (const auto& setting : settings) {
      if (setting.name == "workers" || setting.name.starts_with(prefix)) taken.push_back(setting);
    }
    std::erase_if(settings, [&](const Setting& setting) {
      return setting.name == "workers" || setting.name.starts_with(prefix);
    });
    for (auto& setting : taken) {
      setting.name = setting.name == "workers" ? "size" : setting.name.substr(prefix.size());
      if (setting.name == "types") split(setting);
    }
    return taken;
  }

  // "image.*, echo" is a list.
  static void split(Setting& setting) {
    std::istringstream words(setting.values.front());
    setting.form = SettingForm::List;
    setting.values.clear();
    for (std::string part; std::getline(words, part, ',');) {
      std::istringstream trimmed(part);
      for (std::string word; trimmed >> word;) setting.values.push_back(word);
    }
  }

  void set_only_class(const Setting& setting) {
    if (built_.classes.size() != 1) {
      if (!problems_.empty()) return;  // of the classes themselves
      problems_.push_back({setting.origin, "there are " + std::to_string(built_.classes.size()) +
                                               " worker classes; give each its own " +
                                               setting.name});
      return;
    }
    apply_settings(built_.classes.front(), {setting}, problems_);
  }

  void settle() {
    for (auto& worker_class : built_.classes) fit_sizes(worker_class, built_.notes);
    check_classes(built_, problems_);
    check_pool(built_, problems_);
    check_types(built_, problems_);
  }

  const Sources& sources_;
  Problems& problems_;
  Configuration built_;
};

}  // namespace

Configuration load_configuration(const Sources& sources, Problems& problems) {
  auto configuration = Loader(sources, problems).load();
  const auto place = [](const Problem& problem) {
    const auto& [layer, where, line, column] = problem.origin;
    return std::tie(layer, where, line, column);
  };
  std::ranges::stable_sort(problems, {}, place);  // as a reader of the file meets them
  return configuration;
}

TypeOptions type_options_of(const Configuration& configuration, std::string_view type) {
  const TypeOptions* fits = nullptr;
  for (const auto& [options, origins, brought] : configuration.types) {
    if (options.name == type) return options;
    if (fits == nullptr && is_pattern(options.name) && matches_pattern(options.name, type)) {
      fits = &options;
    }
  }
  return fits == nullptr ? TypeOptions{} : *fits;
}

BreakerOptions breaker_of(const Configuration& configuration, std::string_view type) {
  return breaker_options(configuration.pool.values, type_options_of(configuration, type));
}

// It was read when it was set.
TaskMemory task_memory_of(const Configuration& configuration, std::string_view type) {
  return *parse_task_memory(type_options_of(configuration, type).memory);
}

std::optional<std::string> default_config_file(const Environment& environment) {
  const auto value = [&](std::string_view name) {
    const auto found = environment.find(name);
    return found == environment.end() ? std::string() : found->second;
  };
  std::vector<std::string> candidates;
  if (const auto home = value("XDG_CONFIG_HOME"); !home.empty()) {
    candidates.push_back(home + "/warmpool/warmpool.toml");
  } else if (const auto user = value("HOME"); !user.empty()) {
    candidates.push_back(user + "/.config/warmpool/warmpool.toml");
  }
  candidates.emplace_back("/etc/warmpool/warmpool.toml");
  for (auto& candidate : candidates) {
    std::error_code ignored;
    if (fs::exists(candidate, ignored)) return candidate;
  }
  return std::nullopt;
}

bool is_class_name(std::string_view name) {
  constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
  return !name.empty() && name.size() <= 64 &&
         name.find_first_not_of(allowed) == std::string_view::npos;
}

}  // namespace warmpool::daemon
