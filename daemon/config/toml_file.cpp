// Every value becomes text in the form in which the rows of the options table take it, so that
// TOML, environment and command line share one parser and one set of messages.
#include "daemon/config/toml_file.hpp"

#include <toml++/toml.h>

namespace warmpool::daemon {
namespace {

constexpr std::size_t kTextMax = 1U << 20;

class Reader {
 public:
  Reader(const std::string& path, const Environment& environment, Problems& problems)
      : path_(path), environment_(environment), problems_(problems) {}

  Settings read(const toml::table& root) {
    Settings settings;
    for (const auto& [key, node] : root) {
      if (key.str() == "class") {
        read_tables("class", node, settings.classes);
      } else if (key.str() == "type") {
        read_tables("type", node, settings.types);
      } else {
        read_setting(key, node, settings.pool);
      }
    }
    return settings;
  }

 private:
  Origin origin(const toml::source_region& region) const {
    return {Layer::File, path_, region.begin.line, region.begin.column};
  }

  void problem(const toml::source_region& region, std::string text) {
    problems_.push_back({origin(region), std::move(text)});
  }

  void read_tables(const std::string& name, const toml::node& node,
                   std::vector<SettingTable>& out) {
    const auto* tables = node.as_array();
    if (tables == nullptr || !tables->is_homogeneous(toml::node_type::table)) {
      problem(node.source(),
              "'" + name + "' is a list of tables: begin each " + name + " with [[" + name + "]]");
      return;
    }
    for (const auto& element : *tables) {
      SettingTable table{origin(element.source()), {}};
      for (const auto& [key, value] : *element.as_table()) read_setting(key, value, table.settings);
      out.push_back(std::move(table));
    }
  }

  static bool is_list_of_tables(const toml::array& list) {
    return list.is_homogeneous(toml::node_type::table);
  }

  void read_setting(const toml::key& key, const toml::node& node, std::vector<Setting>& out) {
    Setting setting{std::string(key.str()), SettingForm::Text, {}, origin(key.source())};
    if (const auto* list = node.as_array(); list != nullptr && !is_list_of_tables(*list)) {
      setting.form = SettingForm::List;
      for (const auto& element : *list) {
        if (!read_element(setting.name, element, setting)) return;
      }
    } else if (list != nullptr || node.is_table()) {
      problem(key.source(),
              "'" + setting.name + "' is a table, and the only tables are [[class]] and [[type]]");
      return;
    } else if (!read_scalar(setting.name, node, setting)) {
      return;
    }
    out.push_back(std::move(setting));
  }

  bool read_element(const std::string& name, const toml::node& node, Setting& setting) {
    if (node.is_string()) return read_text(name, node, setting);
    problem(node.source(), "'" + name + "' is a list of texts: put each element in quotes");
    return false;
  }

  bool read_scalar(const std::string& name, const toml::node& node, Setting& setting) {
    if (node.is_string()) return read_text(name, node, setting);
    if (const auto* number = node.as_integer()) {
      setting.form = SettingForm::Number;
      setting.values.push_back(std::to_string(number->get()));
      return true;
    }
    if (const auto* flag = node.as_boolean()) {
      setting.form = SettingForm::Flag;
      setting.values.emplace_back(flag->get() ? "true" : "false");
      return true;
    }
    problem(node.source(), "'" + name +
                               "' has a value of a kind that no option takes; give a whole number, "
                               "a text in quotes, true or false");
    return false;
  }

  bool read_text(const std::string& name, const toml::node& node, Setting& setting) {
    std::string text = node.as_string()->get();
    std::string missing;
    if (!substitute(text, environment_, missing)) {
      problem(node.source(),
              missing.empty()
                  ? "'" + name + "': ${ needs a name and }, as in ${HOME}; write $${ for a plain ${"
                  : "'" + name + "': environment variable " + missing +
                        " is not set; set it, or write $${ for a plain ${");
      return false;
    }
    setting.values.push_back(std::move(text));
    return true;
  }

  const std::string& path_;
  const Environment& environment_;
  Problems& problems_;
};

}  // namespace

Settings read_toml(std::string_view text, const std::string& path, const Environment& environment,
                   Problems& problems) {
  if (text.size() > kTextMax) {
    problems.push_back(
        {{Layer::File, path}, "the file is over 1 MiB; split it into conf.d/*.toml"});
    return {};
  }
  try {
    return Reader(path, environment, problems).read(toml::parse(text, path));
  } catch (const toml::parse_error& error) {
    const auto at = error.source().begin;
    problems.push_back({{Layer::File, path, at.line, at.column},
                        "not valid TOML: " + std::string(error.description())});
    return {};
  }
}

}  // namespace warmpool::daemon
