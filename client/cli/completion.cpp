// Each script is a function that finds the command among the words, and one table from command to
// options: what is generated is data, so that the three shells cannot disagree.
#include "client/cli/completion.hpp"

#include <algorithm>
#include <memory>

#include <CLI/CLI.hpp>

#include "client/cli/command_line.hpp"
#include "client/cli/declare.hpp"
#include "client/cli/manual.hpp"
#include "client/cli/parser.hpp"

namespace warmpool::cli {

namespace {

struct OptionWords {
  std::vector<std::string> names;  // "-n", "--lines"
  std::string help;
  bool takes_value = false;
};

std::vector<OptionWords> options_of(const CLI::App& app) {
  std::vector<OptionWords> all;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) continue;
    OptionWords words{{}, option->get_description(), option->get_type_size() != 0};
    for (const auto& name : option->get_snames()) words.names.push_back("-" + name);
    for (const auto& name : option->get_lnames()) words.names.push_back("--" + name);
    all.push_back(std::move(words));
  }
  return all;
}

// Options of a command and those of every command.
std::vector<OptionWords> all_options(const Parser& parser, const CommandRow& row) {
  auto options = options_of(parser.app_of(row));
  auto global = options_of(parser.app());
  options.insert(options.end(), global.begin(), global.end());
  return options;
}

// What may follow `group`: "" for the first word; each once, in the order of the table.
std::vector<std::pair<std::string, std::string>> words_after(std::string_view group) {
  std::vector<std::pair<std::string, std::string>> words;
  for (const auto& row : command_rows()) {
    std::string_view name = row.name;
    if (!group.empty()) {
      if (!name.starts_with(std::string(group) + " ")) continue;
      name.remove_prefix(group.size() + 1);
    }
    const bool is_group = group.empty() && name.find(' ') != name.npos;
    const std::string word(name.substr(0, name.find(' ')));
    const bool known =
        std::any_of(words.begin(), words.end(), [&](const auto& one) { return one.first == word; });
    if (!known) words.emplace_back(word, is_group ? "more commands" : std::string(row.summary));
  }
  return words;
}

std::vector<std::string> groups() {
  std::vector<std::string> all;
  for (const auto& [word, help] : words_after("")) {
    if (!words_after(word).empty()) all.push_back(word);
  }
  return all;
}

// For a text between single quotes.
std::string shell_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string joined_names(const std::vector<OptionWords>& options) {
  std::string all;
  for (const auto& option : options) {
    for (const auto& name : option.names) all += (all.empty() ? "" : " ") + name;
  }
  return all;
}

std::string joined_words(std::string_view group) {
  std::string all;
  for (const auto& [word, help] : words_after(group)) all += (all.empty() ? "" : " ") + word;
  return all;
}

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string all;
  for (const auto& word : words) all += (all.empty() ? "" : between) + word;
  return all;
}

std::string bash_script() {
  const Parser parser;
  std::string text = R"(# bash completion of warmpool; made by: warmpool completions bash
_warmpool() {
  local word command='' current=${COMP_WORDS[COMP_CWORD]} i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    case $word in
      --) return ;;
      --socket | --color) ((i++)) ;;
      -*) ;;
      *)
        command=${command:+$command }$word
        case $command in
)";
  text += "          " + joined(groups(), " | ") + ") ;;\n          *) break ;;\n" + R"(        esac
        ;;
    esac
  done
  local words=''
  case $command in
)";
  text += "    '') words=" +
          shell_quoted(joined_words("") + " " + joined_names(options_of(parser.app()))) + " ;;\n";
  for (const auto& group : groups()) {
    text += "    " + shell_quoted(group) + ") words=" + shell_quoted(joined_words(group)) + " ;;\n";
  }
  for (const auto& row : command_rows()) {
    text += "    " + shell_quoted(row.name) +
            ") words=" + shell_quoted(joined_names(all_options(parser, row))) + " ;;\n";
  }
  return text + R"(  esac
  COMPREPLY=()
  case $command:$current in
)" + "    :* | " +
         joined(groups(), ":* | ") +
         R"(:* | *:-*) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current") ;;
    *) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
  esac
}
complete -o filenames -F _warmpool warmpool
)";
}

// Of _describe: a colon ends the name.
std::string described(std::string_view name, std::string_view help) {
  std::string text;
  for (const char c : name) text += c == ':' ? std::string("\\:") : std::string(1, c);
  return shell_quoted(text + ":" + std::string(help));
}

std::string zsh_script() {
  const Parser parser;
  std::string text = R"(#compdef warmpool
# zsh completion of warmpool; made by: warmpool completions zsh
_warmpool() {
  local word command='' i
  local -a entries
  for ((i = 2; i < CURRENT; i++)); do
    word=${words[i]}
    case $word in
      --) _files; return ;;
      --socket | --color) ((i++)) ;;
      -*) ;;
      *)
        command=${command:+$command }$word
        case $command in
)";
  text += "          " + joined(groups(), " | ") + ") ;;\n          *) break ;;\n" + R"(        esac
        ;;
    esac
  done
  case $command in
)";
  const auto words_entry = [&](const std::string& group) {
    text += "    " + shell_quoted(group) + ") entries=(";
    for (const auto& [word, help] : words_after(group)) text += "\n      " + described(word, help);
    text += "\n    ) ;;\n";
  };
  words_entry("");
  for (const auto& group : groups()) words_entry(group);
  for (const auto& row : command_rows()) {
    text += "    " + shell_quoted(row.name) + ") entries=(";
    for (const auto& option : all_options(parser, row)) {
      for (const auto& name : option.names) text += "\n      " + described(name, option.help);
    }
    text += "\n    ) ;;\n";
  }
  return text + R"(  esac
  case $command in
)" + "    '' | " +
         joined(groups(), " | ") + R"() _describe command entries ;;
    *) [[ $PREFIX == -* ]] && _describe -o option entries || _files ;;
  esac
}
if [ "${funcstack[1]-}" = _warmpool ]; then _warmpool "$@"; else compdef _warmpool warmpool; fi
)";
}

std::string fish_script() {
  const Parser parser;
  std::string text = R"(# fish completion of warmpool; made by: warmpool completions fish
function __warmpool_command
    set -l command
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $word
            case --socket --color
                set skip 1
            case '-*'
            case '*'
                set -a command $word
                switch "$command"
)";
  text += "                    case " + joined(groups(), " ") + R"(
                    case '*'
                        break
                end
        end
    end
    echo "$command"
end
)";
  const auto when = [](std::string_view command) {
    return "complete -c warmpool -n 'test (__warmpool_command) = \"" + std::string(command) +
           "\"' ";
  };
  const auto words_lines = [&](const std::string& group) {
    for (const auto& [word, help] : words_after(group)) {
      text += when(group) + "-f -a " + shell_quoted(word) + " -d " + shell_quoted(help) + "\n";
    }
  };
  const auto option_lines = [&](const std::string& condition, const std::vector<OptionWords>& all) {
    for (const auto& option : all) {
      text += condition;
      for (const auto& name : option.names) {
        const bool is_long = name.starts_with("--");
        text += (is_long ? "-l " : "-s ") + name.substr(is_long ? 2 : 1) + " ";
      }
      text +=
          (option.takes_value ? "-r " : "") + std::string("-d ") + shell_quoted(option.help) + "\n";
    }
  };
  option_lines("complete -c warmpool ", options_of(parser.app()));
  words_lines("");
  for (const auto& group : groups()) words_lines(group);
  for (const auto& row : command_rows()) {
    option_lines(when(row.name), options_of(parser.app_of(row)));
  }
  return text;
}

// Lines that begin with '.' or ''' would be requests, a backslash an escape.
std::string roff_text(std::string_view text) {
  std::string out;
  bool begins = true;
  for (const char c : text) {
    if (begins && (c == '.' || c == '\'')) out += "\\&";
    out += c == '\\' ? std::string("\\e") : c == '-' ? std::string("\\-") : std::string(1, c);
    begins = c == '\n';
  }
  return out;
}

std::string as_written(std::string_view text) { return ".nf\n" + roff_text(text) + ".fi\n"; }

}  // namespace

std::string completion_script(std::string_view shell) {
  if (shell == "zsh") return zsh_script();
  return shell == "fish" ? fish_script() : bash_script();
}

std::string manual_roff() {
  const Parser parser;
  std::string page =
      ".TH WARMPOOL 1\n.SH NAME\nwarmpool \\- asks a warmpoold for work\n.SH SYNOPSIS\n"
      ".B warmpool\n[OPTIONS] COMMAND ...\n.SH DESCRIPTION\n" +
      as_written(overview_text()) + ".SH COMMANDS\n";
  for (const auto& row : command_rows()) {
    page += ".SS warmpool " + roff_text(row.name) + "\n" +
            as_written(command_help(row, parser.app_of(row)));
  }
  return page + ".SH SEE ALSO\n.BR warmpoold (8)\n";
}

Run declare_completions(CLI::App& app) {
  auto shell = std::make_shared<std::string>();
  add_argument(app, "shell", *shell, "bash, zsh or fish")
      .required()
      .one_of({"bash", "zsh", "fish"});
  return [shell](Context& context) {
    context.out().write(completion_script(*shell));
    return static_cast<int>(kOk);
  };
}

}  // namespace warmpool::cli
