// Help and the page of documentation are printed from the same rows, so that neither can be wrong
// about a default or a range.
#include <algorithm>
#include <string>

#include "daemon/config/arguments.hpp"
#include "daemon/exit_status.hpp"
#include "pool/options.hpp"

namespace warmpool::daemon {
namespace {

std::string dashed(std::string_view name) {
  std::string out(name);
  std::ranges::replace(out, '_', '-');
  return out;
}

std::string_view value_word(OptionKind kind) {
  switch (kind) {
    case OptionKind::Time:
      return "TIME";
    case OptionKind::Bytes:
      return "SIZE";
    case OptionKind::Count:
      return "N";
    case OptionKind::Flag:
      return "BOOL";
    case OptionKind::Text:
      return "TEXT";
    case OptionKind::Choice:
      return "WORD";
    case OptionKind::Texts:
      return "LIST";
    case OptionKind::Signed:
      return "N";
    case OptionKind::Mask:
      return "MASK";
    case OptionKind::Cpus:
      return "CPUS";
    case OptionKind::Rules:
      return "RULES";
    case OptionKind::Need:
      return "SIZE";
  }
  return "VALUE";
}

// "5s; 10ms to 1h", "info; one of trace, debug ...", or "".
template <class Owner>
std::string values_text(const OptionRow<Owner>& row) {
  std::string text(row.default_text);
  std::string allowed;
  if (row.kind == OptionKind::Choice) {
    allowed = "one of " + std::string(row.minimum);
    std::ranges::replace(allowed, '|', ' ');
  } else if (!row.minimum.empty()) {
    allowed = std::string(row.minimum) + " to " + std::string(row.maximum);
  }
  if (text.empty() || allowed.empty()) return text + allowed;
  return text + "; " + allowed;
}

std::string entry(std::string head, std::string_view help, std::string_view values) {
  constexpr std::size_t column = 36;
  std::string line = "  " + std::move(head);
  line += line.size() + 2 <= column ? std::string(column - line.size(), ' ')
                                    : "\n" + std::string(column, ' ');
  line += help;
  if (!values.empty()) line += "\n" + std::string(column, ' ') + "[" + std::string(values) + "]";
  return line + "\n";
}

template <class Owner>
void add_rows(std::span<const OptionRow<Owner>> rows, std::string_view dashes, std::string& text) {
  for (const auto& row : rows) {
    const auto name = dashes.empty() ? std::string(row.name) : dashed(row.name);
    text += entry(std::string(dashes) + name + " " + std::string(value_word(row.kind)), row.help,
                  values_text(row));
  }
}

template <class Owner>
void add_table(std::span<const OptionRow<Owner>> rows, std::string& text) {
  text += "| option | default | allowed | reload | meaning |\n|---|---|---|---|---|\n";
  for (const auto& row : rows) {
    std::string allowed(row.minimum);
    std::ranges::replace(allowed, '|', ' ');
    if (row.kind != OptionKind::Choice && !allowed.empty()) {
      allowed += " to " + std::string(row.maximum);
    }
    if (allowed.empty()) allowed = value_word(row.kind);
    text += "| `" + std::string(row.name) + "` | " + std::string(row.default_text) + " | " +
            allowed + " | " + (row.reloadable ? "yes" : "no") + " | " + std::string(row.help) +
            " |\n";
  }
}

}  // namespace

std::string help_text() {
  std::string text =
      "Usage: warmpoold [--config FILE] [--runtime-dir DIR] [--workers N] [--OPTION VALUE ...]\n"
      "Keeps worker processes warm and runs tasks on them. Runs in the foreground.\n"
      "Ask it for work with: warmpool submit, warmpool map; see: warmpool help\n\n";
  for (const auto& row : argument_rows()) {
    const auto value = row.value.empty() ? "" : " " + std::string(row.value);
    text += entry("--" + std::string(row.name) + value, row.help, "");
  }
  text += "\nOptions of the pool (in a file: name = value, with _ for -):\n";
  add_rows(pool_option_rows(), "--", text);
  text += "\nOptions of a worker class (in a file, below [[class]]):\n";
  add_rows(class_option_rows(), "", text);
  text +=
      "\nOptions of task types (in a file, below [[type]]; what is not set is the pool's option of "
      "the same name):\n";
  add_rows(type_option_rows(), "", text);
  text +=
      "\nTimes need a unit (ns us ms s m h d), sizes may have one (B KiB MiB GiB kB MB GB).\n"
      "Layers, a later one wins: built-in values, the file, conf.d/*.toml beside it, environment,\n"
      "arguments. The file: --config, else $XDG_CONFIG_HOME/warmpool/warmpool.toml, else\n"
      "/etc/warmpool/warmpool.toml. ${NAME} inside a text is replaced from the environment.\n"
      "Environment: WARMPOOL_<OPTION>; also POOL_SIZE, FIFO_DIR, HEARTBEAT_INTERVAL,\n"
      "DEAD_WORKER_THRESHOLD, SLOW_TASK_THRESHOLD, MAX_RETRIES, MAX_RESTART_ATTEMPTS (times there\n"
      "are seconds); of the only class WORKER_MAX_TASKS and SUPPORTED_TASK_TYPES.\n"
      "Signals: TERM and INT stop after running tasks, a second one at once; QUIT at once; HUP\n"
      "reads the configuration again; USR1 opens the log file again.\n\nExit status:\n";
  for (const auto& row : kExitRows) {
    text += entry(std::to_string(static_cast<int>(row.status)), row.meaning, "");
  }
  return text;
}

std::string manual_roff() {
  std::string page =
      ".TH WARMPOOLD 8\n.SH NAME\nwarmpoold \\- keeps worker processes warm and runs tasks on "
      "them\n"
      ".SH DESCRIPTION\n.nf\n";
  bool begins = true;
  for (const char c : help_text()) {
    if (begins && (c == '.' || c == '\'')) page += "\\&";
    page += c == '\\' ? std::string("\\e") : c == '-' ? std::string("\\-") : std::string(1, c);
    begins = c == '\n';
  }
  return page + ".fi\n.SH SEE ALSO\n.BR warmpool (1)\n";
}

std::string options_markdown() {
  std::string text = "### Options of the pool\n\n";
  add_table(pool_option_rows(), text);
  text += "\n### Options of a worker class\n\n";
  add_table(class_option_rows(), text);
  text += "\n### Options of task types\n\n";
  add_table(type_option_rows(), text);
  text += "\n### Exit statuses\n\n| status | meaning |\n|---|---|\n";
  for (const auto& row : kExitRows) {
    text += "| " + std::to_string(static_cast<int>(row.status)) + " | " + std::string(row.meaning) +
            " |\n";
  }
  return text;
}

}  // namespace warmpool::daemon
