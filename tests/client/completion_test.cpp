// Completion scripts and the manual page are what the table of commands says, and shells take them.
#include "client/cli/completion.hpp"

#include <cstdio>
#include <fstream>
#include <set>
#include <sstream>
#include <unistd.h>

#include <gtest/gtest.h>

#include "client/cli/command.hpp"
#include "tests/client/cli_runner.hpp"

namespace warmpool::cli {
namespace {

class Completions : public testing::Test {
 protected:
  Completions() {
    char name[] = "/tmp/warmpool-completion.XXXXXX";
    file_ = ::mkdtemp(name) == nullptr ? "" : std::string(name) + "/script";
  }
  ~Completions() override {
    ::unlink(file_.c_str());
    ::rmdir(file_.substr(0, file_.rfind('/')).c_str());
  }

  const std::string& write(const std::string& shell) {
    const auto ended = fake::run_cli({"completions", shell});
    EXPECT_EQ(ended.status, kOk);
    std::ofstream(file_) << ended.out;
    return file_;
  }
  static std::string run(const std::string& command, int* status = nullptr) {
    std::FILE* pipe = ::popen(command.c_str(), "re");
    std::string output;
    char buffer[4096];
    for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
      output.append(buffer, got);
    }
    const int ended = ::pclose(pipe);
    if (status != nullptr) *status = ended;
    return output;
  }
  static bool has(const std::string& program) {
    int status = 0;
    run("command -v " + program + " >/dev/null", &status);
    return status == 0;
  }
  // What bash offers for the last of these words.
  std::set<std::string> bash(const std::string& words, int count) {
    const std::string command = "bash --norc -c 'set -u; . " + write("bash") +
                                "; COMP_WORDS=(warmpool " + words +
                                "); COMP_CWORD=" + std::to_string(count) +
                                "; _warmpool; printf \"%s\\n\" \"${COMPREPLY[@]}\"' 2>&1";
    std::istringstream lines(run(command));
    std::set<std::string> offered;
    for (std::string line; std::getline(lines, line);) offered.insert(line);
    return offered;
  }

  std::string file_;
};

TEST_F(Completions, BashOffersCommands) {
  EXPECT_EQ(bash("sub", 1), std::set<std::string>{"submit"});
  const auto first = bash("\"\"", 1);
  for (const auto& row : command_rows()) {
    const std::string name(row.name);
    EXPECT_TRUE(first.contains(name.substr(0, name.find(' ')))) << name;
  }
}

TEST_F(Completions, BashOffersTheSecondWordOfAGroup) {
  EXPECT_EQ(bash("dlq \"\"", 2),
            (std::set<std::string>{"ls", "show", "retry", "rm", "export", "import"}));
  EXPECT_EQ(bash("--socket /x dlq r", 4), (std::set<std::string>{"retry", "rm"}));
}

TEST_F(Completions, BashOffersOptionsOfTheCommand) {
  EXPECT_EQ(bash("submit --prior", 2), std::set<std::string>{"--priority"});
  EXPECT_EQ(bash("dlq retry --a", 3), std::set<std::string>{"--all"});
  EXPECT_EQ(bash("submit echo --js", 3), std::set<std::string>{"--json"});
  EXPECT_FALSE(bash("ping --", 2).contains("--priority"));
}

TEST_F(Completions, BashOffersFilesForValues) {
  EXPECT_EQ(bash("submit echo --payload-file /etc/hostnam", 4),
            std::set<std::string>{"/etc/hostname"});
}

TEST_F(Completions, OtherShellsTakeTheirScripts) {
  for (const std::string shell : {"zsh", "fish"}) {
    if (!has(shell)) continue;
    int status = 0;
    const auto said = run(shell + " -n " + write(shell) + " 2>&1", &status);
    EXPECT_EQ(status, 0) << shell << ": " << said;
  }
  if (has("zsh")) {
    const auto loaded = run("zsh -f -c 'autoload -Uz compinit; compinit -D; . " + write("zsh") +
                            "; print $_comps[warmpool]' 2>&1");
    EXPECT_EQ(loaded, "_warmpool\n");
  }
  if (has("fish")) {
    const auto offered = run("fish --no-config -c 'source " + write("fish") +
                             "; complete -C \"warmpool dlq r\"' 2>&1");
    EXPECT_NE(offered.find("retry"), std::string::npos) << offered;
  }
}

TEST_F(Completions, EveryCommandIsInEachScript) {
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    const auto script = completion_script(shell);
    for (const auto& row : command_rows()) {
      const auto word = row.name.substr(row.name.rfind(' ') + 1);
      EXPECT_NE(script.find(word), std::string::npos) << shell << " " << row.name;
    }
  }
  EXPECT_EQ(fake::run_cli({"completions", "csh"}).status, kUsage);
}

TEST_F(Completions, TheManualPageHasEveryCommand) {
  const auto page = fake::run_cli({"help", "--man"}).out;
  EXPECT_TRUE(page.starts_with(".TH WARMPOOL 1\n"));
  for (const auto& row : command_rows()) {
    std::string name(row.name);
    EXPECT_NE(page.find(".SS warmpool " + name + "\n"), std::string::npos) << name;
  }
  std::istringstream lines(page);
  const std::set<std::string> known{".TH", ".SH", ".SS", ".B", ".BR", ".nf", ".fi"};
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(".")) continue;
    EXPECT_TRUE(known.contains(line.substr(0, line.find(' ')))) << line;
  }
}

}  // namespace
}  // namespace warmpool::cli
