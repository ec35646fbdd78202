// Layers of the configuration, and every way in which one can be wrong.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "daemon/class_grants.hpp"
#include "daemon/config/arguments.hpp"
#include "daemon/config/check_config.hpp"
#include "daemon/config/configuration.hpp"
#include "daemon/config/reload.hpp"
#include "tests/support/places.hpp"

namespace warmpool::daemon {
namespace {

namespace fs = std::filesystem;

class Config : public testing::Test {
 protected:
  Config() {
    directory_ = fs::path(testing::TempDir()) /
                 ("config-" + std::to_string(::getpid()) + "-" +
                  testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(directory_ / "conf.d");
    sources_.program_directory = "/opt/bin";
    sources_.config_file = (directory_ / "warmpool.toml").string();
    write("warmpool.toml", "");
  }
  ~Config() override { fs::remove_all(directory_); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(directory_ / name) << text;
  }
  Configuration load() {
    problems_.clear();
    return load_configuration(sources_, problems_);
  }
  // Of the only problem: its text, with its place as "line:column: ".
  std::string fault_of(const std::string& toml) {
    write("warmpool.toml", toml);
    load();
    if (problems_.size() != 1) return std::to_string(problems_.size()) + " problems";
    const auto& origin = problems_.front().origin;
    return std::to_string(origin.line) + ":" + std::to_string(origin.column) + ": " +
           problems_.front().text;
  }
  void argue(std::vector<std::string> words) {
    auto arguments = parse_arguments(words);
    ASSERT_TRUE(static_cast<bool>(arguments));
    sources_.arguments = arguments->settings;
  }

  fs::path directory_;
  Sources sources_;
  Problems problems_;
};

TEST_F(Config, HasOneStockClassWithoutAnyFile) {
  sources_.config_file.reset();
  sources_.environment["XDG_CONFIG_HOME"] = directory_.string();
  const auto built = load();
  ASSERT_TRUE(problems_.empty()) << problem_text(problems_.front());
  ASSERT_EQ(built.classes.size(), 1U);
  EXPECT_EQ(built.classes[0].values.name, "worker");
  EXPECT_EQ(built.classes[0].values.command, std::vector<std::string>{"/opt/bin/warmpool-worker"});
  EXPECT_EQ(built.classes[0].values.size, 20U);
}

TEST_F(Config, LetsALaterLayerWinAndRemembersItsOrigin) {
  write("warmpool.toml", "retries = 1\ntimeout = \"1s\"\npriority = 1\ntasks_max = 5\n");
  write("conf.d/b.toml", "priority = 3\n");
  write("conf.d/a.toml", "priority = 2\ntimeout = \"2s\"\n");
  sources_.environment["MAX_RETRIES"] = "7";
  sources_.environment["WARMPOOL_TASKS_MAX"] = "6";
  argue({"--tasks-max", "8"});
  const auto built = load();
  ASSERT_TRUE(problems_.empty()) << problem_text(problems_.front());
  EXPECT_EQ(built.pool.values.priority, 3U);
  EXPECT_EQ(built.pool.values.timeout, seconds(2));
  EXPECT_EQ(built.pool.values.retries, 7U);
  EXPECT_EQ(built.pool.values.tasks_max, 8U);
  EXPECT_EQ(origin_text(built.pool.origins.at("priority")),
            (directory_ / "conf.d/b.toml").string() + ":1:1");
  EXPECT_EQ(origin_text(built.pool.origins.at("retries")), "environment MAX_RETRIES");
  EXPECT_EQ(origin_text(built.pool.origins.at("tasks_max")), "argument --tasks-max");
  EXPECT_FALSE(built.pool.origins.contains("dead_max"));
}

TEST_F(Config, TakesThePlainVariablesWithSecondsAsTheirUnit) {
  sources_.environment = {{"POOL_SIZE", "3"},           {"FIFO_DIR", "/run/f"},
                          {"HEARTBEAT_INTERVAL", "2"},  {"DEAD_WORKER_THRESHOLD", "60"},
                          {"SLOW_TASK_THRESHOLD", "9"}, {"MAX_RESTART_ATTEMPTS", "4"}};
  const auto built = load();
  ASSERT_TRUE(problems_.empty()) << problem_text(problems_.front());
  EXPECT_EQ(built.classes[0].values.size, 3U);
  EXPECT_EQ(built.classes[0].values.size_min, 3U);
  EXPECT_EQ(built.pool.values.fifo_dir, "/run/f");
  EXPECT_EQ(built.pool.values.heartbeat_interval, seconds(2));
  EXPECT_EQ(built.pool.values.dead_after, seconds(60));
  EXPECT_EQ(built.pool.values.restarts_max, 4U);
  EXPECT_EQ(built.pool.values.slow_after, seconds(9));
}

TEST_F(Config, ReadsEveryLimitOfAClass) {
  write("warmpool.toml",
        "[[class]]\nname = \"a\"\ncommand = [\"/bin/x\"]\ntypes = [\"t\"]\n"
        "umask = \"027\"\nnice = -5\ncpus = \"0-1,3\"\nopen_files = 4096\nprocesses = 64\n"
        "address_space = \"2GiB\"\ncore_size = \"unlimited\"\ncpu_time = \"1h\"\n");
  const auto built = load();
  ASSERT_TRUE(problems_.empty()) << problem_text(problems_.front());
  SpawnSpec spec;
  set_resources(built.classes[0].values, spec);
  EXPECT_EQ(spec.file_mask, mode_t{027});
  EXPECT_EQ(spec.nice, -5);
  EXPECT_EQ(spec.cpus, (std::vector{0, 1, 3}));
  const auto limit = [&](int resource) {
    const auto found = std::ranges::find(spec.limits, resource, &ResourceLimit::resource);
    return found == spec.limits.end() ? ResourceLimit{} : *found;
  };
  EXPECT_EQ(limit(RLIMIT_NOFILE).hard, 4096U) << "and cannot be raised again";
  EXPECT_EQ(limit(RLIMIT_NPROC).soft, 64U);
  EXPECT_EQ(limit(RLIMIT_AS).soft, 2ULL << 30);
  EXPECT_EQ(limit(RLIMIT_CORE).soft, RLIM_INFINITY);
  EXPECT_EQ(limit(RLIMIT_CPU).soft, 3600U);
  EXPECT_EQ(spec.limits.size(), 5U) << "each once";
}

TEST_F(Config, WithoutLimitsTheDefaultsHold) {
  SpawnSpec spec;
  set_resources(default_class_options(), spec);
  EXPECT_EQ(spec.file_mask, mode_t{077});
  EXPECT_FALSE(spec.nice);
  EXPECT_TRUE(spec.cpus.empty());
  EXPECT_EQ(spec.limits.size(), default_limits().size());
}

TEST_F(Config, WhatCannotBeGrantedIsToldWithItsPlace) {
  const std::string rest = "[[class]]\nname = \"a\"\ncommand = [\"/bin/x\"]\ntypes = [\"t\"]\n";
  std::vector<std::optional<Identity>> identities;
  write("warmpool.toml", rest + "user = \"no-such-user-here\"\n");
  auto fault = find_identities(load(), identities);
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->status, ExitStatus::Configuration);
  EXPECT_EQ(fault->problem.origin.line, 5U);
  EXPECT_NE(fault->problem.text.find("there is no such user"), std::string::npos);
  write("warmpool.toml", rest + "cpus = \"0,1023\"\n");
  fault = resource_fault(load());
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->status, ExitStatus::Configuration);
  EXPECT_EQ(fault->problem.origin.line, 5U);
  EXPECT_NE(fault->problem.text.find("this machine has the CPUs 0 to"), std::string::npos);
  write("warmpool.toml", rest + "cpus = \"0\"\nnice = 19\ncore_size = 0\n");
  EXPECT_FALSE(resource_fault(load()));
}

TEST_F(Config, MovesMinimumAndMaximumWithASizeAndSaysSo) {
  argue({"--workers=60"});
  const auto built = load();
  EXPECT_EQ(built.classes[0].values.size_max, 60U);
  ASSERT_EQ(built.notes.size(), 1U);
  EXPECT_EQ(built.notes[0], "class 'worker': size_max moved from 50 to 60 to fit size");
}

TEST_F(Config, SubstitutesVariablesInsideTexts) {
  sources_.environment["PLACE"] = "/somewhere";
  write("warmpool.toml", "log_file = \"${PLACE}/log\"\nfifo_dir = \"$${PLACE}\"\n");
  const auto built = load();
  EXPECT_EQ(built.pool.values.log_file, "/somewhere/log");
  EXPECT_EQ(built.pool.values.fifo_dir, "${PLACE}");
}

TEST_F(Config, JoinsAClassThatTwoFilesName) {
  write("warmpool.toml", "[[class]]\nname = \"a\"\ncommand = [\"/bin/x\"]\ntypes = [\"t.*\"]\n");
  write("conf.d/local.toml", "[[class]]\nname = \"a\"\nsize = 2\n");
  const auto built = load();
  ASSERT_TRUE(problems_.empty()) << problem_text(problems_.front());
  ASSERT_EQ(built.classes.size(), 1U);
  EXPECT_EQ(built.classes[0].values.size, 2U);
  EXPECT_EQ(built.classes[0].values.types, std::vector<std::string>{"t.*"});
}

TEST_F(Config, TellsFaultsInTheOrderOfTheFile) {
  write("warmpool.toml",
        "nosuch = 1\nretries = [1]\nage = 1\n[[class]]\nname = \"a\"\nsize = -1\nbogus = 2\n");
  load();
  std::vector<std::uint32_t> lines;
  for (const auto& problem : problems_) lines.push_back(problem.origin.line);
  EXPECT_EQ(lines, (std::vector<std::uint32_t>{1, 2, 3, 5, 5, 6, 7}));
}

TEST_F(Config, TellsWhereAFileIsWrongAndWhatWasMeant) {
  EXPECT_EQ(fault_of("\n  timeot = \"5s\"\n"),
            "2:3: there is no pool option 'timeot'; did you mean 'timeout'?");
  EXPECT_EQ(fault_of("size = 5\n"),
            "1:1: there is no pool option 'size'; it is a class's: write it below a [[class]]");
  EXPECT_EQ(fault_of("[[class]]\nname = \"a\"\ncommand = [\"x\"]\ntypes = [\"t\"]\nretries = 5\n"),
            "5:1: there is no class option 'retries'; it is the pool's: write it above the first "
            "[[class]]");
  EXPECT_EQ(fault_of("timeout = 5\n"),
            "1:1: timeout = '5': give a time with unit, such as 500ms, 5s, 1h30m (ns us ms s m h "
            "d)");
  EXPECT_EQ(fault_of("retries = -1\n"), "1:1: retries = '-1': give a whole number");
  EXPECT_EQ(fault_of("priority = 101\n"),
            "1:1: priority = '101': give a whole number from 0 to 100");
  EXPECT_EQ(fault_of("payload_bytes_max = \"5 apples\"\n"),
            "1:1: payload_bytes_max = '5 apples': give a size, such as 512MiB (B KiB MiB GiB kB "
            "MB GB)");
  EXPECT_EQ(fault_of("store = \"tape\"\n"), "1:1: store = 'tape': give one of sqlite|volatile");
  EXPECT_EQ(fault_of("log_file = 5\n"), "1:1: 'log_file' is a text: put it in quotes");
  EXPECT_EQ(fault_of("retries = [1]\n"),
            "1:12: 'retries' is a list of texts: put each element in quotes");
  EXPECT_EQ(fault_of("retries = [\"1\"]\n"),
            "1:1: 'retries' is one value, not a list: leave out the brackets");
  EXPECT_EQ(fault_of("retries = 1.5\n"),
            "1:11: 'retries' has a value of a kind that no option takes; give a whole number, a "
            "text in quotes, true or false");
  EXPECT_EQ(fault_of("[pool]\nretries = 1\n"),
            "1:2: 'pool' is a table, and the only tables are [[class]] and [[type]]");
  EXPECT_EQ(fault_of("[[clas]]\nname = \"a\"\n"),
            "1:3: 'clas' is a table, and the only tables are [[class]] and [[type]]");
  EXPECT_EQ(fault_of("class = 1\n"),
            "1:9: 'class' is a list of tables: begin each class with "
            "[[class]]");
  EXPECT_EQ(fault_of("log_file = \"${NOPE_NOT_SET}\"\n"),
            "1:12: 'log_file': environment variable NOPE_NOT_SET is not set; set it, or write $${ "
            "for a plain ${");
  EXPECT_EQ(fault_of("log_file = \"${NOPE\"\n"),
            "1:12: 'log_file': ${ needs a name and }, as in ${HOME}; write $${ for a plain ${");
  EXPECT_EQ(fault_of("retries = \n").find("not valid TOML") == std::string::npos, false);
}

TEST_F(Config, TellsWhatIsWrongWithAClass) {
  const std::string good = "command = [\"/bin/x\"]\ntypes = [\"t\"]\n";
  EXPECT_EQ(fault_of("[[class]]\n" + good),
            "1:1: this [[class]] needs a name, as in name = \"images\"");
  EXPECT_EQ(fault_of("[[class]]\nname = \"a b\"\n" + good),
            "2:1: a class name is 1 to 64 of a-z A-Z 0-9 _ - and .");
  EXPECT_EQ(fault_of("[[class]]\nname = \"a\"\ntypes = [\"t\"]\n"),
            "2:1: worker class 'a' needs a command");
  EXPECT_EQ(fault_of("[[class]]\nname = \"a\"\ncommand = [\"/bin/x\"]\n"),
            "2:1: class 'a' serves no types: say which, as in types = [\"image.*\"]");
  EXPECT_EQ(fault_of("[[class]]\nname = \"a\"\ntypes = [\"t\"]\ncommand = \"/bin/x -v\"\n"),
            "2 problems");
  const auto file = (directory_ / "warmpool.toml").string();
  EXPECT_EQ(fault_of("[[class]]\nname = \"a\"\n" + good + "size = 2\nsize_min = 3\n"),
            "5:1: worker class 'a': size (2) must be within size_min (3) and size_max (50) "
            "(size_min: " +
                file + ":6:1)");
  EXPECT_EQ(fault_of("[[class]]\nname = \"a\"\n" + good + "sizze = 2\n"),
            "5:1: there is no class option 'sizze'; did you mean 'size'?");
  EXPECT_EQ(fault_of("[[class]]\nname = \"a\"\n" + good + "[[class]]\nname = \"a\"\n" + good),
            "5:1: class 'a' stands twice in this file; join them");
  EXPECT_EQ(fault_of("[[class]]\nname = \"a\"\n" + good + "environment = [\"X\"]\n"),
            "5:1: class 'a': environment is a list of texts NAME=VALUE, and one of them has no "
            "name or no =");
  EXPECT_EQ(fault_of("[[class]]\nname = \"a\"\n" + good + "umask = 0o77\n"),
            "5:1: 'umask' is a text: put it in quotes");
  EXPECT_EQ(fault_of("[[class]]\nname = \"a\"\n" + good + "umask = \"99\"\n"),
            "5:1: umask = '99': give three octal digits, such as 077");
  EXPECT_EQ(fault_of("[[class]]\nname = \"a\"\n" + good + "cpus = \"0-\"\n"),
            "5:1: cpus = '0-': give CPU numbers and ranges up to 1023, such as 0-3,8");
  EXPECT_EQ(fault_of("[[class]]\nname = \"a\"\n" + good + "nice = 20\n"),
            "5:1: nice = '20': give a whole number from -20 to 19");
  EXPECT_EQ(fault_of("[[class]]\nname = \"a\"\n" + good + "open_files = 3\n"),
            "5:1: open_files = '3': give a whole number from 16 to unlimited");
  EXPECT_EQ(fault_of("[[class]]\nname = \"a\"\n" + good + "address_space = \"much\"\n"),
            "5:1: address_space = 'much': give a size, such as 512MiB (B KiB MiB GiB kB MB GB)");
}

TEST_F(Config, AProblemIsOneLineWhateverTheFileHasInIt) {
  write("warmpool.toml", "\"a\\nb\" = 1\nretries = \"\\u0007\"\n");
  load();
  ASSERT_EQ(problems_.size(), 2U);
  for (const auto& problem : problems_) {
    const auto text = problem_text(problem);
    EXPECT_TRUE(std::ranges::all_of(text, [](unsigned char c) { return c >= 0x20; })) << text;
  }
  EXPECT_NE(problem_text(problems_.front()).find("a\\nb"), std::string::npos);
}

TEST_F(Config, NamesTheOriginsOfOptionsThatDoNotGoTogether) {
  write("warmpool.toml", "dead_after = \"10s\"\n");
  load();
  ASSERT_EQ(problems_.size(), 1U);
  EXPECT_EQ(problem_text(problems_.front()),
            (directory_ / "warmpool.toml").string() +
                ":1:1: dead_after (10s) must be more than unresponsive_after (15s)");
}

TEST_F(Config, RefusesAFileThatIsNamedAndNotThere) {
  sources_.config_file = (directory_ / "nowhere.toml").string();
  load();
  ASSERT_EQ(problems_.size(), 1U);
  EXPECT_EQ(problems_.front().text, "cannot be read; check that it exists and its mode");
}

TEST_F(Config, RefusesANumberOfWorkersForSeveralClasses) {
  const std::string rest = "command = [\"/bin/x\"]\ntypes = [\"t\"]\n";
  write("warmpool.toml", "[[class]]\nname = \"a\"\n" + rest + "[[class]]\nname = \"b\"\n" + rest);
  argue({"--workers", "3"});
  load();
  ASSERT_EQ(problems_.size(), 1U);
  EXPECT_EQ(problem_text(problems_.front()),
            "argument --workers: there are 2 worker classes; give each its own size");
}

TEST_F(Config, HintsAtVariablesThatLookMistyped) {
  sources_.environment["WARMPOOL_TIMEOTU"] = "5s";
  const auto built = load();
  ASSERT_EQ(built.notes.size(), 1U);
  EXPECT_EQ(built.notes[0],
            "environment variable WARMPOOL_TIMEOTU sets no option; did you mean 'timeout'?");
}

TEST_F(Config, OfATypeItsOwnNameCountsThenTheFirstPatternThenThePool) {
  write("warmpool.toml",
        "breaker_probes = 7\nbreaker_runs = 9\n"
        "[[type]]\nname = \"http.*\"\nbreaker = true\nbreaker_probes = 2\n"
        "[[type]]\nname = \"http.f*\"\nbreaker_probes = 3\n"
        "[[type]]\nname = \"http.fetch\"\nbreaker = true\nbreaker_probes = 4\n");
  const auto built = load();
  ASSERT_TRUE(problems_.empty()) << problems_.front().text;
  EXPECT_EQ(breaker_of(built, "http.fetch").probes, 4U);
  EXPECT_EQ(breaker_of(built, "http.feed").probes, 2U);
  EXPECT_TRUE(breaker_of(built, "http.feed").on);
  EXPECT_EQ(breaker_of(built, "echo").probes, 7U);
  EXPECT_FALSE(breaker_of(built, "echo").on);
  EXPECT_EQ(breaker_of(built, "http.fetch").runs, 9U) << "what it does not say is the pool's";
  EXPECT_EQ(built.types[0].origins.at("breaker_probes").line, 6U);
}

TEST_F(Config, JoinsATypeThatTwoFilesName) {
  write("warmpool.toml", "[[type]]\nname = \"a\"\nbreaker = true\nbreaker_probes = 2\n");
  write("conf.d/local.toml", "[[type]]\nname = \"a\"\nbreaker_probes = 3\n");
  const auto built = load();
  ASSERT_EQ(built.types.size(), 1U);
  EXPECT_TRUE(breaker_of(built, "a").on);
  EXPECT_EQ(breaker_of(built, "a").probes, 3U);
}

TEST_F(Config, TellsWhatIsWrongWithAType) {
  EXPECT_NE(fault_of("[[type]]\nbreaker = true\n").find("this [[type]] needs a name"),
            std::string::npos);
  EXPECT_NE(fault_of("[[type]]\nname = \"a\"\n[[type]]\nname = \"a\"\n").find("stands twice"),
            std::string::npos);
  EXPECT_NE(fault_of("[[type]]\nname = \"a\"\nbraker = true\n").find("did you mean 'breaker'?"),
            std::string::npos);
  EXPECT_NE(fault_of("[[type]]\nname = \"a\"\nsize = 3\n").find("write it below a [[class]]"),
            std::string::npos);
  EXPECT_NE(fault_of("[[class]]\nname = \"a\"\nbreaker = true\ncommand = [\"/bin/x\"]\n"
                     "types = [\"t\"]\n")
                .find("below a [[type]]"),
            std::string::npos);
  EXPECT_NE(fault_of("[[type]]\nname = \"a\"\nbreaker_percent = 101\n").find("from 0 to 100"),
            std::string::npos);
  EXPECT_NE(fault_of("[[type]]\nname = \"a\"\nbreaker = true\nbreaker_failures = 0\n"
                     "breaker_percent = 0\n")
                .find("type 'a': breaker_failures and breaker_percent are both 0"),
            std::string::npos);
  EXPECT_NE(
      fault_of("[[type]]\nname = \"a\"\nbreaker_cooldown = \"1h\"\n")
          .find("type 'a': breaker_cooldown_max (10m) must be at least breaker_cooldown (1h)"),
      std::string::npos);
}

TEST_F(Config, KnowsWhatCanNeverFitAndWhatFitsNotTogether) {
  const auto with = [](const std::string& total, const std::string& size_of_b) {
    return "memory_total = \"" + total + "\"\n" +
           "[[class]]\nname = \"a\"\ncommand = [\"x\"]\ntypes = [\"t\"]\nsize = 2\n" +
           "memory_declared = \"1GiB\"\n" +
           "[[class]]\nname = \"b\"\ncommand = [\"x\"]\ntypes = [\"u\"]\nsize = " + size_of_b +
           "\nmemory_declared = \"512MiB\"\n";
  };
  EXPECT_EQ(fault_of(with("3GiB", "7")),
            "13:1: class 'b': memory_declared (512MiB) of 7 workers (size) is 3584MiB, more than "
            "memory_total (3GiB)");
  const auto notes_of = [&](const std::string& total) {
    write("warmpool.toml", with(total, "2"));
    const auto loaded = load();
    return check_text(loaded, problems_);
  };
  EXPECT_NE(notes_of("2GiB").find("3GiB of 2GiB (memory_total): some of them wait"),
            std::string::npos);
  EXPECT_NE(notes_of("3GiB").find("no room for the successor of a worker of 1GiB"),
            std::string::npos);
  EXPECT_EQ(notes_of("4GiB").find("memory_total"), std::string::npos);
}

TEST_F(Config, KnowsWhetherTheClassAfterADeathCanRunTheTask) {
  const auto with = [](const std::string& next, const std::string& types_of_big) {
    return "[[class]]\nname = \"small\"\ncommand = [\"x\"]\ntypes = [\"image.*\", \"echo\"]\n"
           "retry_memory_class = \"" +
           next + "\"\n[[class]]\nname = \"big\"\ncommand = [\"x\"]\ntypes = [" + types_of_big +
           "]\nretry_timeout_class = \"small\"\n";
  };
  EXPECT_EQ(fault_of(with("bug", "\"image.*\", \"echo\"")),
            "5:1: class 'small': retry_memory_class = 'bug': there is no such [[class]]; there "
            "are: small, big");
  EXPECT_NE(fault_of(with("small", "\"image.*\"")).find("names the class itself"),
            std::string::npos);
  EXPECT_EQ(fault_of(with("big", "\"image.*\"")),
            "5:1: class 'small': retry_memory_class = 'big': that class does not serve 'echo', "
            "which this one serves; add it to its types");
  EXPECT_NE(fault_of(with("big", "\"image.?\", \"echo\"")).find("does not serve 'image.*'"),
            std::string::npos);
  EXPECT_NE(fault_of(with("big", "\"image.*\", \"echo\", \"more\""))
                .find("retry_timeout_class = 'small': that class does not serve 'more'"),
            std::string::npos);
  write("warmpool.toml", with("big", "\"ec?o\", \"im*\""));
  load();
  const auto is_of_small = [](const Problem& one) { return one.text.starts_with("class 'small'"); };
  EXPECT_EQ(std::ranges::count_if(problems_, is_of_small), 0) << "a pattern fits a narrower one";
  write("warmpool.toml", with("big", "\"image.*\", \"echo\""));
  load();
  EXPECT_TRUE(problems_.empty()) << "a ring of classes is no fault";
}

TEST_F(Config, KnowsWhatATypeNeedsAndWhatThatIsWorth) {
  const std::string need = "[[type]]\nname = \"a.*\"\nmemory = \"2GiB\"\n";
  const auto notes_of = [&](const std::string& text) {
    write("warmpool.toml", text);
    const auto loaded = load();
    return check_text(loaded, problems_);
  };
  EXPECT_NE(notes_of(need).find("memory (2GiB) says nothing while memory_tasks_total is 0"),
            std::string::npos);
  EXPECT_NE(notes_of("memory_tasks_total = \"1GiB\"\n" + need)
                .find("memory (2GiB) is more than memory_tasks_total (1GiB)"),
            std::string::npos);
  EXPECT_EQ(notes_of("memory_tasks_total = \"2GiB\"\n" + need).find("memory_tasks_total"),
            std::string::npos);
  EXPECT_EQ(task_memory_of(load(), "a.b"), (TaskMemory{.bytes = 2ULL << 30}));
  EXPECT_FALSE(task_memory_of(load(), "b").any());
  EXPECT_NE(fault_of("[[type]]\nname = \"a\"\nmemory = \"some\"\n").find("or learned"),
            std::string::npos);
}

TEST_F(Config, TakesOverOnReloadWhatMayChange) {
  auto running = load();
  write("warmpool.toml",
        "retries = 9\nstore = \"sqlite\"\nruntime_dir = \"/elsewhere\"\n"
        "[[class]]\nname = \"new\"\ncommand = [\"x\"]\ntypes = [\"t\"]\n");
  const auto fresh = load();
  const auto reload = reload_configuration(running, fresh);
  EXPECT_EQ(reload.changed, std::vector<std::string>{"retries: '3' -> '9'"});
  EXPECT_EQ(reload.needs_restart,
            (std::vector<std::string>{"runtime_dir: '' -> '/elsewhere'", "class 'worker' is gone",
                                      "class 'new' is new"}));
  EXPECT_EQ(running.pool.values.retries, 9U);
  EXPECT_EQ(running.pool.values.runtime_dir, "");
}

TEST_F(Config, ReloadSaysThatAClassWhichIsNewBindsNobodyYet) {
  const std::string small = "[[class]]\nname = \"small\"\ncommand = [\"x\"]\ntypes = [\"t\"]\n";
  const std::string big = "[[class]]\nname = \"big\"\ncommand = [\"x\"]\ntypes = [\"t\"]\n";
  write("warmpool.toml", small);
  auto running = load();
  write("warmpool.toml", small + "retry_memory_class = \"big\"\n" + big);
  const auto reload = reload_configuration(running, load());
  EXPECT_TRUE(problems_.empty());
  EXPECT_EQ(reload.classes_changed, std::vector<std::string>{"small"});
  EXPECT_EQ(reload.needs_restart,
            (std::vector<std::string>{"class 'big' is new",
                                      "class 'small': retry_memory_class = 'big' binds no task "
                                      "before class 'big' runs"}));
}

TEST_F(Config, CheckSaysOkOrWhatIsWrongInBothForms) {
  const auto good = load();
  EXPECT_NE(check_text(good, problems_).find("ok\n"), std::string::npos);
  EXPECT_NE(check_json(good, problems_).find("\"ok\":true"), std::string::npos);
  fault_of("retries = -1\n");
  EXPECT_NE(check_text({}, problems_).find(":1:1: retries = '-1'"), std::string::npos);
  EXPECT_NE(check_json({}, problems_).find("\"line\":1"), std::string::npos);
}

std::string argument_fault(std::vector<std::string> words) {
  auto parsed = parse_arguments(words);
  return parsed ? "none" : parsed.error().text;
}

TEST(Arguments, AreRefusedWithWhatToDo) {
  EXPECT_EQ(argument_fault({"--retires", "3"}),
            "there is no option --retires; did you mean 'retries'?; see: warmpoold --help");
  EXPECT_EQ(argument_fault({"--retries"}), "--retries needs a value after it");
  EXPECT_EQ(argument_fault({"--version=3"}), "--version takes no value");
  EXPECT_EQ(argument_fault({"start"}), "'start' is no option; see: warmpoold --help");
  EXPECT_EQ(argument_fault({"--json"}),
            "--json goes with --check-config; for a running daemon use: warmpool status --json");
  EXPECT_EQ(argument_fault({"--private"}),
            "--private goes with --runtime-dir: a directory that was made for it");
  EXPECT_EQ(argument_fault({"--private", "--runtime-dir", "x"}), "none");
  EXPECT_EQ(argument_fault({"--private", "--owner=12", "--runtime-dir", "x"}), "none");
  EXPECT_EQ(argument_fault({"--owner", "12"}), "--owner goes with --private");
  EXPECT_EQ(argument_fault({"--private", "--owner", "0", "--runtime-dir", "x"}),
            "--owner takes the number of a process, not '0'");
  EXPECT_EQ(argument_fault({"--dead_after", "3s", "--config=x", "-h"}), "none");
}

TEST(Help, NamesEveryOptionAndEveryExitStatus) {
  const auto text = help_text();
  for (const auto& row : pool_option_rows()) {
    std::string name(row.name);
    std::ranges::replace(name, '_', '-');
    EXPECT_NE(text.find("--" + name + " "), std::string::npos) << name;
  }
  for (const auto& row : class_option_rows()) {
    EXPECT_NE(text.find("  " + std::string(row.name) + " "), std::string::npos) << row.name;
  }
  const auto types = text.substr(text.find("Options of task types"));
  for (const auto& row : type_option_rows()) {
    EXPECT_NE(types.find("  " + std::string(row.name) + " "), std::string::npos) << row.name;
  }
}

TEST(Help, IsWhatThePageSays) {
  std::ifstream file(test::source_file("docs/daemon.md"));
  const std::string page((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_NE(page.find(options_markdown()), std::string::npos)
      << "replace the tables of docs/daemon.md by:\n"
      << options_markdown();
}

}  // namespace
}  // namespace warmpool::daemon
