// A real daemon that may write no file beyond a size, which is to it what a full disk is: no
// privilege is needed, and the limit can be taken away while it runs.
#include <csignal>
#include <sys/resource.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/e2e/real_daemon.hpp"

namespace warmpool::test {
namespace {

using nlohmann::json;

constexpr const char* kLimited = "trap '' XFSZ; ulimit -S -f 600;";

class FullDisk : public testing::Test {
 protected:
  FullDisk() : daemon({.config = {}, .arguments = {}, .prefix = kLimited}) {
    run_shell("head -c 60000 /dev/zero | tr '\\0' x > " + payload());
    daemon.call("pause echo");
    early = id("submit echo early --print-id");
  }
  std::string payload() const { return daemon.directory() + "/payload"; }
  Ran submit() const {
    return run_shell("timeout 25 " + daemon.command("submit echo --payload-file " + payload()) +
                     " 2>&1");
  }
  // Until one is refused, which is the one that met the full disk.
  Ran fill() {
    for (int tried = 0; tried < 40; ++tried) {
      auto ran = submit();
      if (ran.status != 0) return ran;
      ++accepted;
    }
    return {};
  }
  void make_room() const {
    rlimit limit{};
    ::prlimit(daemon.pid(), RLIMIT_FSIZE, nullptr, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::prlimit(daemon.pid(), RLIMIT_FSIZE, &limit, nullptr);
  }
  json status() const { return json::parse(daemon.call("status --json").output); }
  std::string id(const std::string& command) const {
    auto text = daemon.call(command).output;
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  }

  RealDaemon daemon;
  std::string early;
  std::uint64_t accepted = 1;
};

TEST_F(FullDisk, RefusesAtOnceSaysWhyAndGoesOnByItself) {
  const auto met = fill();
  EXPECT_EQ(met.status, 75) << met.output;
  EXPECT_EQ(submit().status, 75);
  const auto told = status();
  EXPECT_EQ(told.at("health").at("status"), "unhealthy");
  const auto trouble = told.at("store").at("trouble").get<std::string>();
  for (const char* part : {"state/warmpool.db", "the disk is full", "File too large", "df"}) {
    EXPECT_NE(trouble.find(part), std::string::npos) << trouble;
  }
  const auto cancelled = daemon.call("cancel " + early);
  EXPECT_EQ(cancelled.status, 0);
  EXPECT_NE(cancelled.output.find("not yet on disk"), std::string::npos) << cancelled.output;
  make_room();
  ASSERT_TRUE(eventually([&] { return submit().status == 0; }));
  ++accepted;
  daemon.signal(SIGKILL);
  daemon.wait();
  daemon.set_prefix({});
  ASSERT_TRUE(daemon.start()) << daemon.log();
  EXPECT_EQ(status().at("tasks").at("waiting"), accepted - 1) << "what was acknowledged, alone";
}

TEST_F(FullDisk, WhatItRefusedIsInNoLaterLife) {
  EXPECT_EQ(fill().status, 75);
  daemon.signal(SIGKILL);
  daemon.wait();
  daemon.set_prefix({});
  ASSERT_TRUE(daemon.start()) << daemon.log();
  EXPECT_EQ(status().at("tasks").at("waiting"), accepted);
}

TEST_F(FullDisk, OfAStartIsToldWithTheFileTheReasonAndWhatToDo) {
  EXPECT_EQ(fill().status, 75);
  daemon.signal(SIGKILL);
  daemon.wait();
  daemon.set_prefix("trap '' XFSZ; ulimit -S -f 40;");
  EXPECT_FALSE(daemon.start());
  EXPECT_EQ(daemon.wait(), 74);
  for (const char* part : {"state/warmpool.db", "the disk is full", "File too large", "df"}) {
    EXPECT_NE(daemon.log().find(part), std::string::npos) << daemon.log();
  }
}

}  // namespace
}  // namespace warmpool::test
