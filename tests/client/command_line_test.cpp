// Arguments, help and what each command ends with.
#include "client/cli/command_line.hpp"

#include <atomic>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "client/cli/command.hpp"
#include "tests/client/cli_runner.hpp"
#include "tests/client/fake_daemon.hpp"
#include "tests/support/places.hpp"

namespace warmpool::cli {
namespace {

using fake::Daemon;
using fake::Peer;
using fake::run_cli;
using ipc::Kind;
using nlohmann::json;

// Answers each request with `document`.
Daemon::Script replying(const std::string& document) {
  return [document](Peer& peer) {
    peer.welcome();
    while (const auto got = peer.next()) {
      if (got->kind() == Kind::Request) peer.reply(*got, document);
    }
  };
}

TEST(CommandLine, EndsWithTwoWhereTheArgumentsAreWrong) {
  const std::vector<std::vector<std::string>> all = {
      {},
      {"sttaus"},
      {"dlq", "lss"},
      {"dlq"},
      {"submit"},
      {"submit", "echo", "--priority", "P9"},
      {"submit", "echo", "--timeout", "5"},
      {"submit", "echo", "x", "--payload-file", "y"},
      {"submit", "echo", "--run-at", "soon"},
      {"submit", "echo", "--delay", "1s", "--run-at", "2026-11-23T07:00:00Z"},
      {"submit", "echo", "--no-such-option"},
      {"map", "echo", "--in-flight", "0"},
      {"map", "echo", "--progress", "maybe"},
      {"run"},
      {"wait"},
      {"wait", "seven"},
      {"result", "1", "2"},
      {"ls", "--state", "asleep"},
      {"dlq", "retry"},
      {"scale", "many"},
      {"scale", "65536"},
      {"events", "--type", "task-done"},
      {"events", "--since", "yesterday"},
      {"status", "--color", "pink"},
      {"help", "sttaus"},
      {"submit", ""},
      {"submit", "echo", "x", "--key", ""},
      {"pause", ""},
      {"pause", "echo", "--class", "worker"},
      {"resume", "echo", "--all"},
      {"dlq", "rm", "--all", "--type", ""},
      {"status", "--socket", ""},
      {"dlq", "ls", "--after", "x"},
      {"bench", "latency", "--spin", "50"},
      {"bench", "throughput", "--spin", "11ms"},
  };
  for (const auto& arguments : all) {
    const auto ended = run_cli(arguments);
    EXPECT_EQ(ended.status, kUsage) << testing::PrintToString(arguments);
    EXPECT_EQ(ended.out, "");
    EXPECT_NE(ended.err, "");
  }
}

TEST(CommandLine, SuggestsTheNearest) {
  EXPECT_NE(run_cli({"sttaus"}).err.find("did you mean \"status\"?"), std::string::npos);
  EXPECT_NE(run_cli({"dlq", "lss"}).err.find("did you mean \"dlq ls\"?"), std::string::npos);
  EXPECT_NE(run_cli({"-q", "dql"}).err.find("did you mean \"dlq\"?"), std::string::npos);
  EXPECT_EQ(run_cli({"xyzzy"}).err.find("did you mean"), std::string::npos);
}

TEST(CommandLine, SaysHowItIsRight) {
  const auto said = [](const std::vector<std::string>& arguments) {
    return run_cli(arguments).err;
  };
  EXPECT_EQ(said({"submit"}), "warmpool: TYPE is missing; see: warmpool help submit\n");
  EXPECT_EQ(said({"submit", "echo", "--timout", "5s"}),
            "warmpool: there is no option --timout; did you mean --timeout?; see: warmpool help "
            "submit\n");
  EXPECT_EQ(
      said({"status", "--jsn"}),
      "warmpool: there is no option --jsn; did you mean --json?; see: warmpool help status\n");
  EXPECT_EQ(said({"status", "now"}),
            "warmpool: \"now\" is one argument too many; see: warmpool help status\n");
  EXPECT_EQ(said({"submit", "echo", "--priority"}),
            "warmpool: --priority needs a value after it; see: warmpool help submit\n");
  EXPECT_EQ(said({"submit", "echo", "--delay", "1s", "--run-at", "2026-11-23T07:00:00Z"}),
            "warmpool: give --delay or --run-at, not both; see: warmpool help submit\n");
  EXPECT_EQ(said({"result", "1", "2"}),
            "warmpool: there is more than one ID; give one; see: warmpool help result\n");
  EXPECT_EQ(said({"map", "echo", "--in-flight", "0"}),
            "warmpool: --in-flight: \"0\" is no whole number from 1 to 1000000; see: warmpool help "
            "map\n");
  EXPECT_EQ(said({"map", "echo", "--progress", "maybe"}),
            "warmpool: --progress: \"maybe\" is none of auto, always, never; see: warmpool help "
            "map\n");
  EXPECT_EQ(said({"dlq", "rm", "--all", "--type", ""}),
            "warmpool: --type: it is empty; give a value, or leave it out; see: warmpool help dlq "
            "rm\n");
  EXPECT_EQ(said({"wait", "seven"}),
            "warmpool: id: \"seven\" is no task id; it is the number that submit prints, see: "
            "warmpool ls\n");
  EXPECT_NE(said({"dlq", "xyzzy"}).find("; there are: \"dlq ls\" \"dlq show\""), std::string::npos);
}

TEST(CommandLine, WithJsonWhatIsWrongIsADocumentToo) {
  const auto error = [](std::vector<std::string> arguments) {
    const auto ended = run_cli(arguments);
    EXPECT_EQ(ended.out, "");
    const auto document = json::parse(ended.err, nullptr, false);
    EXPECT_EQ(document.value("schema", 0), 1) << ended.err;
    EXPECT_EQ(document["error"]["status"], ended.status);
    return document["error"];
  };
  EXPECT_EQ(error({"submit", "--json"}),
            json({{"status", kUsage},
                  {"code", nullptr},
                  {"text", "TYPE is missing; see: warmpool help submit"},
                  {"hint", "see: warmpool help submit"}}));
  EXPECT_EQ(error({"--json", "dql"})["hint"], "all commands: warmpool help");
  EXPECT_EQ(error({"--json", "dlq"})["text"],
            "dlq needs a command after it; see: warmpool help dlq");
  EXPECT_EQ(error({"--json"})["status"], kUsage);
  EXPECT_EQ(error({"help", "sttaus", "--json"})["status"], kUsage);
  EXPECT_EQ(error({"dlq", "rm", "--json"})["status"], kUsage);
  const auto nobody = error({"--socket", "/nonexistent/warmpool.sock", "status", "--json"});
  EXPECT_EQ(nobody["status"], kUnreachable);
  EXPECT_EQ(nobody["code"], static_cast<int>(client::Fault::Unreachable));
  EXPECT_TRUE(nobody["hint"].is_string()) << nobody;
}

TEST(CommandLine, WithJsonARefusalHasItsNumber) {
  Daemon daemon([](Peer& peer) {
    peer.welcome();
    const auto asked = peer.next(Kind::Request, 1);
    peer.refuse(asked.at(0), static_cast<Refusal>(213), "it does not fit");
    peer.next();
  });
  const auto ended = run_cli({"status", "--json", "--socket", daemon.socket()});
  EXPECT_EQ(ended.status, kFailed);
  EXPECT_EQ(
      json::parse(ended.err)["error"],
      json({{"status", kFailed}, {"code", 213}, {"text", "it does not fit"}, {"hint", nullptr}}));
}

TEST(CommandLine, AnEmptyPayloadIsAPayload) {
  std::string payload = "never came";
  Daemon daemon([&](Peer& peer) {
    peer.welcome();
    const auto submit = peer.next(Kind::Submit, 1).at(0);
    payload = submit.payload;
    peer.accept(submit, 5);
    peer.next();
  });
  EXPECT_EQ(run_cli({"--socket", daemon.socket(), "submit", "echo", ""}).status, kOk);
  daemon.join();
  EXPECT_EQ(payload, "");
}

TEST(CommandLine, ADeadLetterIsRetriedWithAnEmptyPayload) {
  bool other = false;
  std::string payload = "never came";
  Daemon daemon([&](Peer& peer) {
    peer.welcome();
    const auto request = peer.next(Kind::Request, 1).at(0);
    const auto meta = ipc::decode<ipc::RequestMeta>(ipc::bytes_of(request.meta));
    other = meta && meta->verb == ipc::Verb::DeadRetry &&
            std::holds_alternative<std::string_view>(meta->arguments[5]);
    payload = request.payload;
    peer.reply(request, R"({"schema":1,"retried":1,"refused":0,"refusals":[]})");
    peer.next();
  });
  EXPECT_EQ(run_cli({"--socket", daemon.socket(), "dlq", "retry", "7", "--payload", ""}).status,
            kOk);
  daemon.join();
  EXPECT_TRUE(other) << "it is another payload";
  EXPECT_EQ(payload, "");
}

TEST(CommandLine, EveryCommandHasHelp) {
  for (const auto& row : command_rows()) {
    std::vector<std::string> arguments;
    std::istringstream words{std::string(row.name)};
    for (std::string word; words >> word;) {
      arguments.push_back(word);
    }
    arguments.emplace_back("--help");
    const auto ended = run_cli(arguments);
    EXPECT_EQ(ended.status, kOk) << row.name;
    EXPECT_TRUE(ended.out.starts_with("warmpool " + std::string(row.name))) << ended.out;
    EXPECT_NE(ended.out.find(row.summary), std::string::npos);
    arguments.pop_back();
    arguments.insert(arguments.begin(), "help");
    EXPECT_EQ(run_cli(arguments).out, ended.out);
  }
}

TEST(CommandLine, TheManualIsThePageInDocs) {
  const std::string path = test::source_file("docs/cli.md");
  if (std::getenv("WARMPOOL_ACCEPT") != nullptr) {
    std::ofstream(path) << manual_page();
    GTEST_SKIP() << "accepted " << path;
  }
  std::ifstream file(path);
  std::stringstream page;
  page << file.rdbuf();
  EXPECT_EQ(page.str(), manual_page()) << "accept with: WARMPOOL_ACCEPT=1";
}

TEST(CommandLine, TellsItsVersion) {
  EXPECT_TRUE(run_cli({"--version"}).out.starts_with("warmpool "));
  EXPECT_EQ(json::parse(run_cli({"version", "--json"}).out)["schema"], 1);
}

TEST(CommandLine, EndsWith69WithoutADaemonAndSaysHowToStartOne) {
  const auto ended = run_cli({"--socket", "/nonexistent/warmpool.sock", "status"});
  EXPECT_EQ(ended.status, kUnreachable);
  EXPECT_NE(ended.err.find("warmpoold"), std::string::npos);
}

TEST(CommandLine, GlobalOptionsMayComeAfterTheCommand) {
  Daemon daemon(replying("{\"a\":1}"));
  const auto ended = run_cli({"status", "--json", "--socket", daemon.socket()});
  EXPECT_EQ(ended.status, kOk) << ended.err;
  EXPECT_EQ(ended.out, "{\"schema\":1,\"a\":1}\n");
}

TEST(CommandLine, ADaemonThatAnswersNoJsonIsSaid) {
  Daemon daemon(replying("{oops"));
  EXPECT_EQ(run_cli({"status", "--socket", daemon.socket()}).status, kUnreachable);
}

TEST(CommandLine, RefusalsHaveTheirStatus) {
  struct Case {
    Refusal code;
    int status;
  };
  for (const auto& [code, status] : {Case{Refusal::QueueFull, kTryAgain},
                                     {Refusal::Draining, kTryAgain},
                                     {Refusal::UnknownType, kFailed},
                                     {Refusal::NotAllowed, kFailed}}) {
    Daemon daemon([&](Peer& peer) {
      peer.welcome();
      peer.refuse(peer.next(Kind::Submit, 1).at(0), code, "because");
      peer.next();
    });
    const auto ended = run_cli({"submit", "echo", "x", "--socket", daemon.socket()});
    EXPECT_EQ(ended.status, status);
    EXPECT_EQ(ended.err, "warmpool: because\n");
  }
}

TEST(CommandLine, SubmitPrintsWhatWasAskedFor) {
  Daemon daemon(fake::echoing());
  const auto submit = [&](std::vector<std::string> more, const std::string& input = "") {
    more.insert(more.begin(), {"submit", "echo", "--socket", daemon.socket()});
    const auto ended = run_cli(more, input);
    EXPECT_EQ(ended.status, kOk) << ended.err;
    return ended.out;
  };
  EXPECT_EQ(submit({"hello"}), "accepted 101\n");
  EXPECT_EQ(submit({"hello", "--print-id"}), "101\n");
  EXPECT_EQ(submit({"hello", "--json"}),
            "{\"schema\":1,\"id\":101,\"duplicate\":false,\"durability\":\"full\"}\n");
  EXPECT_EQ(submit({"hello", "--wait"}), "hello");
  EXPECT_EQ(submit({"-", "--wait"}, "from stdin"), "from stdin");
  EXPECT_EQ(submit({"{\"a\":1}", "--content", "json", "--wait", "--json"}),
            "{\"schema\":1,\"id\":101,\"verdict\":\"done\",\"result\":{\"a\":1}}\n");
  // Words that are commands too are arguments here.
  EXPECT_EQ(submit({"status", "--wait"}), "status");
}

TEST(CommandLine, SubmitWaitTellsOfProgressWhereItIsAskedTo) {
  const auto script = [](Peer& peer) {
    peer.welcome();
    const auto got = peer.next(Kind::Submit, 1).at(0);
    peer.accept(got, 7);
    if ((got.header.flags & ipc::flag::kProgress) != 0) peer.progress(got, 7, 250);
    peer.settle(got, 7, "done");
    peer.next();
  };
  const Daemon asked(script), quiet(script), not_asked(script);
  const auto told =
      run_cli({"submit", "x", "--wait", "--progress", "always", "--socket", asked.socket()});
  EXPECT_EQ(told.out, "done");
  EXPECT_TRUE(told.err.starts_with("[#######                       ]  25 %")) << told.err;
  EXPECT_EQ(
      run_cli({"-q", "submit", "x", "--wait", "--progress", "always", "--socket", quiet.socket()})
          .err,
      "");
  // Standard error is a file here.
  EXPECT_EQ(run_cli({"submit", "x", "--wait", "--socket", not_asked.socket()}).err, "");
}

TEST(CommandLine, SubmitWaitPrintsPartialResultsWhereAskedFor) {
  const auto script = [](Peer& peer) {
    peer.welcome();
    const auto got = peer.next(Kind::Submit, 1).at(0);
    peer.accept(got, 7);
    EXPECT_NE(got.header.flags & ipc::flag::kProgress, 0);
    peer.progress(got, 7, 250, "one\ntwo");
    peer.progress(got, 7, 300);
    peer.progress(got, 7, 500, "[1,2]", Content::Json);
    peer.settle(got, 7, "done");
    peer.next();
  };
  const Daemon lines(script), documents(script), drawn(script);
  const auto told = run_cli({"submit", "x", "--wait", "--partials", "--socket", lines.socket()});
  EXPECT_EQ(told.out, "done");
  EXPECT_EQ(told.err, "one two\n[1,2]\n");
  const auto parsed =
      run_cli({"submit", "x", "--wait", "--partials", "--json", "--socket", documents.socket()});
  const auto all = fake::lines_of(parsed.out);
  ASSERT_EQ(all.size(), 3U) << parsed.out;
  EXPECT_EQ(json::parse(all[0]), json({{"schema", 1},
                                       {"id", 7},
                                       {"permille", 250},
                                       {"text", "half way"},
                                       {"partial", "one\ntwo"}}));
  EXPECT_EQ(json::parse(all[1])["partial"], json({1, 2}));
  EXPECT_EQ(json::parse(all[2])["verdict"], "done");
  const auto line =
      run_cli({"submit", "x", "--wait", "--progress", "always", "--socket", drawn.socket()});
  EXPECT_NE(line.err.find("30 %  half way  | one two\n"), std::string::npos)
      << "it stands while nothing newer has come: " << line.err;
}

TEST(CommandLine, SubmitWaitFailsWithItsTask) {
  Daemon daemon([](Peer& peer) {
    peer.welcome();
    const auto got = peer.next(Kind::Submit, 1).at(0);
    peer.accept(got, 7);
    peer.settle(got, 7, "no such file", {Verdict::Dead, EndCause::Failed, 4, 0});
    peer.next();
  });
  const auto ended = run_cli({"submit", "x", "--wait", "--socket", daemon.socket()});
  EXPECT_EQ(ended.status, kFailed);
  EXPECT_EQ(ended.err, "warmpool: task 7 is dead (failed, failures: 4): no such file\n");
}

TEST(CommandLine, WaitTellsEachTaskAndTimesOut) {
  Daemon daemon([](Peer& peer) {
    peer.welcome();
    while (const auto got = peer.next()) {
      if (got->kind() != Kind::Await) continue;
      if (got->header.id == 1) peer.settle(*got, 1, "");
      if (got->header.id == 2) peer.settle(*got, 2, "", {Verdict::Cancelled, EndCause::Cancelled});
      if (got->header.id == 3) peer.refuse(*got, Refusal::NoSuchTask, "no task has this id");
    }
  });
  const auto wait = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"wait", "--socket", daemon.socket()});
    return run_cli(more);
  };
  EXPECT_EQ(wait({"1"}).status, kOk);
  EXPECT_EQ(wait({"1", "2"}).status, kFailed);
  EXPECT_EQ(wait({"3"}).status, kFailed);
  EXPECT_EQ(wait({"1", "4", "--timeout", "20ms"}).status, kTimedOut);
  const auto document = json::parse(wait({"1", "2", "--json"}).out);
  EXPECT_EQ(document["schema"], 1);
  EXPECT_EQ(document["tasks"].size(), 2U);
}

TEST(CommandLine, ResultIsTheBytes) {
  const std::string bytes("\x00\xff\n", 3);
  Daemon daemon([&](Peer& peer) {
    peer.welcome();
    while (const auto got = peer.next()) {
      EXPECT_EQ(got->header.flags, ipc::flag::kNow);
      if (got->header.id == 1) peer.settle(*got, 1, bytes, {}, Content::Bytes);
      if (got->header.id == 2) peer.refuse(*got, Refusal::NoResult, "not yet");
    }
  });
  EXPECT_EQ(run_cli({"result", "1", "--socket", daemon.socket()}).out, bytes);
  EXPECT_EQ(run_cli({"result", "2", "--socket", daemon.socket()}).status, kFailed);
  const std::string path = daemon.directory() + "/out";
  EXPECT_EQ(run_cli({"result", "1", "-o", path, "--socket", daemon.socket()}).status, kOk);
  std::ifstream file(path, std::ios::binary);
  std::stringstream saved;
  saved << file.rdbuf();
  EXPECT_EQ(saved.str(), bytes);
  std::remove(path.c_str());
  EXPECT_EQ(json::parse(run_cli({"result", "1", "--json", "--socket", daemon.socket()}).out)
                .at("result")
                .at("base64"),
            "AP8K");
}

TEST(CommandLine, DrainWaitsUntilNothingIsLeft) {
  std::atomic<int> asked = 0;
  Daemon daemon([&](Peer& peer) {
    peer.welcome();
    while (const auto got = peer.next()) {
      peer.reply(*got, "{\"left\":" + std::to_string(2 - std::min(asked++, 2)) + "}");
    }
  });
  EXPECT_EQ(run_cli({"drain", "--socket", daemon.socket()}).status, kOk);
  EXPECT_EQ(asked, 3);
  asked = -1'000'000;
  EXPECT_EQ(run_cli({"drain", "--timeout", "1ms", "--socket", daemon.socket()}).status, kTimedOut);
}

TEST(CommandLine, StopWaitsUntilTheSocketIsGone) {
  Daemon daemon([](Peer& peer) {
    peer.welcome();
    peer.reply(peer.next(Kind::Request, 1).at(0), "{}");  // status, which names no process here
    peer.reply(peer.next(Kind::Request, 1).at(0), "{\"left\":1}");
    peer.flush();
    peer.unlink_socket();
  });
  const auto ended = run_cli({"stop", "--json", "--socket", daemon.socket()});
  EXPECT_EQ(ended.status, kOk) << ended.err;
  EXPECT_EQ(ended.out, "{\"schema\":1,\"left\":1}\n");
}

TEST(CommandLine, EventsEndWithADaemonThatStops) {
  const Daemon daemon([](Peer& peer) {
    peer.welcome();
    const auto got = peer.next(Kind::Request, 1);
    peer.event(got[0], 7, R"({"number":7,"event":"pool-shutdown"})");
    peer.flush();
    peer.unlink_socket();
  });
  const auto ended = run_cli({"events", "-f", "--socket", daemon.socket()});
  EXPECT_EQ(ended.status, kUnreachable);
  EXPECT_EQ(ended.out, "{\"number\":7,\"event\":\"pool-shutdown\"}\n");
  EXPECT_TRUE(ended.err.ends_with("warmpool: the daemon has stopped\n")) << ended.err;
}

TEST(CommandLine, EventsAreLines) {
  std::vector<std::string> types;
  const Daemon daemon([&](Peer& peer) {
    peer.welcome();
    const auto got = peer.next(Kind::Request, 1);
    const auto meta = ipc::decode<ipc::RequestMeta>(ipc::bytes_of(got[0].meta));
    types.emplace_back(std::get<std::string_view>(meta->arguments[2]));
    peer.event(got[0], 7, R"({"number":7})");
    peer.event(got[0], 8, R"({"number":8,"event":"gap"})", true);
    peer.reply(got[0], R"({"last":8})");
  });
  const auto ended = run_cli({"events", "--type", "task-*", "--type", "worker-exited,pool-shutdown",
                              "--socket", daemon.socket()});
  EXPECT_EQ(ended.status, kOk) << ended.err;
  EXPECT_EQ(ended.out, "{\"number\":7}\n{\"number\":8,\"event\":\"gap\"}\n");
  EXPECT_EQ(types, std::vector<std::string>{"task-*,worker-exited,pool-shutdown"});
}

TEST(CommandLine, PingTellsTheServer) {
  Daemon daemon(fake::echoing());
  EXPECT_TRUE(run_cli({"ping", "--socket", daemon.socket()}).out.starts_with("fake 1 answered in"));
}

TEST(CommandLine, BenchTellsPercentiles) {
  Daemon daemon(fake::echoing());
  const auto ended = run_cli({"bench", "throughput", "--tasks", "100", "--in-flight", "8", "--json",
                              "--socket", daemon.socket()});
  EXPECT_EQ(ended.status, kOk) << ended.err;
  const auto document = json::parse(ended.out);
  EXPECT_EQ(document["tasks"], 100);
  EXPECT_GT(document["tasks_per_second"], 0);
  EXPECT_LE(document["p50_ns"], document["p99_ns"]);
}

TEST(CommandLine, RestartWaitsUntilAllAreReplaced) {
  const std::vector<std::string> looks{
      R"({"workers":[{"id":"worker-1","class":"worker","due":"restart"},{"id":"worker-1.new","due":null}]})",
      R"({"workers":[{"id":"worker-1","class":"worker","due":null},{"id":"worker-1.old","due":"restart"}]})",
      R"({"workers":[{"id":"worker-1","class":"worker","due":null},{"id":"worker-10","due":"restart"}]})"};
  std::size_t looked = 0;
  Daemon daemon([&](Peer& peer) {
    peer.welcome();
    while (const auto got = peer.next()) {
      const auto meta = ipc::decode<ipc::RequestMeta>(ipc::bytes_of(got->meta));
      const bool restart = meta->verb == ipc::Verb::Restart;
      peer.reply(*got, restart ? R"({"restarting":1})" : looks.at(looked++));
    }
  });
  const auto ended = run_cli({"restart", "worker-1", "--socket", daemon.socket()});
  daemon.join();
  EXPECT_EQ(ended.status, kOk) << ended.err;
  EXPECT_EQ(looked, 3U);
  EXPECT_NE(ended.err.find("1 to be replaced"), std::string::npos) << ended.err;
}

TEST(CommandLine, RestartEndsWhenItsTimeIsOver) {
  const Daemon daemon(replying(R"({"workers":[{"id":"worker-1","due":"restart"}]})"));
  const auto ended =
      run_cli({"restart", "--all", "--timeout", "50ms", "--socket", daemon.socket()});
  EXPECT_EQ(ended.status, kTimedOut);
  EXPECT_NE(ended.err.find("warmpool workers"), std::string::npos) << ended.err;
  EXPECT_EQ(run_cli({"restart", "--socket", daemon.socket()}).status, kUsage);
}

TEST(CommandLine, CheckEndsByTheHealth) {
  const Daemon good(replying(R"({"healthy":true,"health":"working","state":"running"})"));
  EXPECT_EQ(run_cli({"check", "worker-0", "--socket", good.socket()}).status, kOk);
  const Daemon bad(replying(R"({"healthy":false,"health":"unresponsive","state":"ready"})"));
  const auto ended = run_cli({"check", "worker-0", "--socket", bad.socket()});
  EXPECT_EQ(ended.status, kFailed);
  EXPECT_EQ(ended.out, "worker-0 is unresponsive (ready)\n");
}

// The requests of `log`, each answered with the next document.
Daemon::Script logging(std::vector<std::string> documents, std::vector<std::uint64_t>& afters) {
  return [documents = std::move(documents), &afters](Peer& peer) {
    peer.welcome();
    for (const auto& document : documents) {
      const auto got = peer.next(Kind::Request, 1);
      if (got.empty()) return;
      const auto meta = ipc::decode<ipc::RequestMeta>(ipc::bytes_of(got[0].meta));
      const auto* after = std::get_if<std::uint64_t>(&meta->arguments[3]);
      afters.push_back(after == nullptr ? 999 : *after);
      peer.reply(got[0], document);
    }
    peer.flush();
  };
}

TEST(CommandLine, LogFollowsATaskUntilItSettles) {
  std::vector<std::uint64_t> afters;
  std::string err, out;
  {
    const Daemon daemon(logging(
        {R"({"attempt":0,"lines":[],"settled":false})",
         R"({"attempt":1,"last":5,"missed":0,"settled":false,"lines":[{"text":"one"},{"text":"tw","unfinished":true}]})",
         R"({"attempt":1,"last":9,"missed":3,"settled":false,"lines":[{"text":"two","cut":true}]})",
         R"({"attempt":2,"last":4,"missed":0,"worker":"w-1","settled":false,"lines":[]})",
         R"({"attempt":2,"last":6,"missed":0,"worker":"w-1","settled":true,"lines":[{"text":"three"}]})"},
        afters));
    const auto ended = run_cli({"log", "7", "-f", "-n", "3", "--socket", daemon.socket()});
    EXPECT_EQ(ended.status, kOk) << ended.err;
    out = ended.out;
    err = ended.err;
  }
  EXPECT_EQ(out, "one\ntwo\nthree\n");
  EXPECT_EQ(err,
            "warmpool: 3 lines of this worker are not kept any more\n"
            "warmpool: a part of that line is not kept\nwarmpool: attempt 2 on w-1\n");
  EXPECT_EQ(afters, (std::vector<std::uint64_t>{999, 0, 5, 9, 0}));
}

TEST(CommandLine, LogSaysThatTheDaemonHasGone) {
  std::vector<std::uint64_t> afters;
  const Daemon daemon(logging({R"({"last":5,"missed":0,"lines":[{"text":"one"}]})"}, afters));
  const auto ended = run_cli({"log", "--slot", "worker-0", "-f", "--socket", daemon.socket()});
  EXPECT_EQ(ended.status, kUnreachable);
  EXPECT_EQ(ended.out, "one\n");
  EXPECT_TRUE(ended.err.starts_with("warmpool: the daemon has gone: ")) << ended.err;
}

TEST(CommandLine, LogPrintsTheLines) {
  const Daemon daemon(replying(R"({"lines":[{"text":"one"},{"text":"two"}]})"));
  EXPECT_EQ(run_cli({"log", "7", "--socket", daemon.socket()}).out, "one\ntwo\n");
  EXPECT_EQ(run_cli({"log", "--socket", daemon.socket()}).status, kUsage);
  EXPECT_EQ(run_cli({"log", "7", "--slot", "worker-0", "--socket", daemon.socket()}).status,
            kUsage);
  EXPECT_EQ(run_cli({"log", "seven", "--socket", daemon.socket()}).status, kUsage);
}

TEST(CommandLine, HeartbeatSendsWhatItIsGiven) {
  ipc::RequestMeta asked;
  std::string status;
  Daemon daemon([&](Peer& peer) {
    peer.welcome();
    const auto got = peer.next(Kind::Request, 1);
    asked = *ipc::decode<ipc::RequestMeta>(ipc::bytes_of(got[0].meta));
    status = std::get<std::string_view>(asked.arguments[1]);
    peer.reply(got[0], "{}");
  });
  EXPECT_EQ(run_cli({"heartbeat", "worker-0", "busy", "12", "--socket", daemon.socket()}).status,
            kOk);
  daemon.join();
  EXPECT_EQ(asked.verb, ipc::Verb::Heartbeat);
  EXPECT_EQ(status, "busy");
  EXPECT_EQ(asked.arguments[2], ipc::Argument(std::uint64_t{12}));
}

}  // namespace
}  // namespace warmpool::cli
