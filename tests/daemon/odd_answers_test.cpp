// Answers that are not as their type's should be, and those that the daemon gives in the place of a
// worker.
#include <sys/mman.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "daemon/large_frames.hpp"
#include "tests/daemon/test_daemon.hpp"

namespace warmpool::daemon {
namespace {

using ipc::Kind;

Configuration one_worker_for(const std::string& type, const std::string& check = "none") {
  auto configuration = small_configuration();
  configuration.pool.values.sample_interval = milliseconds(10);
  auto& options = configuration.classes.front().values;
  options.types = {type};
  options.size = options.size_min = 1;
  options.check = check;
  options.check_interval = milliseconds(50);
  options.check_timeout = milliseconds(20);
  options.check_threshold = 1000;
  return configuration;
}

class OddAnswers : public testing::Test {
 protected:
  void begin(const std::string& type, const std::string& check = "none") {
    test = std::make_unique<TestDaemon>(one_worker_for(type, check));
    test->processes.answers_tasks = false;
    test->processes.features = ipc::feature::kOfWorker & ~ipc::feature::kLarge;
    client.emplace(test->connect());
    client->name_type(type);
    ASSERT_TRUE(test->until([&] { return test->daemon.documents().initialized(); }));
  }
  bool settles(std::uint64_t token) {
    return test->until(*client, [&] { return client->find(Kind::Settled, token) != nullptr; });
  }
  void submit(std::uint64_t token) {
    ipc::SubmitMeta once;
    once.retries = 0;
    client->submit("x", token, ipc::flag::kWait, once);
  }
  // Of a task that fails with this error.
  nlohmann::json autopsy_after(const std::string& error) {
    submit(++last_);
    auto& worker = *test->processes.alive();
    const auto given = worker.assigned.size();
    if (!test->until(*client, [&] { return worker.assigned.size() > given; })) return {};
    const auto answer = ipc::run_header(Kind::Failed, ipc::key_of(worker.assigned.back()));
    worker.channel->send(answer, {}, ipc::bytes_of(error));
    return settles(last_) ? autopsy_of(last_) : nlohmann::json();
  }
  nlohmann::json autopsy_of(std::uint64_t token) {
    const auto task = client->find(Kind::Settled, token)->header.id;
    const auto all = nlohmann::json::parse(test->ask(*client, ipc::Verb::Autopsy, {task}));
    return all.at("autopsies").at(0);
  }
  nlohmann::json check() {
    const auto text = test->ask(*client, ipc::Verb::Worker, {std::string_view("worker-0")});
    return nlohmann::json::parse(text).at("health_score").at("check");
  }
  // A payload of so many bytes, in a file that can become shorter.
  void give_from_file(std::int64_t bytes) {
    file = std::make_shared<const ipc::UniqueFd>(::memfd_create("payload", MFD_CLOEXEC));
    ASSERT_EQ(::ftruncate(file->get(), bytes), 0);
    payload = Blob(file, static_cast<std::uint64_t>(bytes));
    test->store.payload_instead = &payload;
  }

  ipc::SharedFd file;
  Blob payload;
  std::unique_ptr<TestDaemon> test;
  std::optional<RawClient> client;
  std::uint64_t last_ = 0;
};

TEST_F(OddAnswers, OfATypeNamedExecIsBelievedWhatIsAsItsPageSays) {
  begin("exec");
  const auto good = autopsy_after("ended by signal 9\n{\"status\":null,\"signal\":9}");
  EXPECT_EQ(good.at("signal"), 9);
  EXPECT_EQ(good.at("code"), nullptr);
  EXPECT_EQ(autopsy_after("exited\n{\"status\":3,\"signal\":null}").at("code"), 3);
  const auto none = autopsy_after("no such file\n{\"started\":false,\"status\":127}");
  EXPECT_EQ(none.at("advice"), "correct argv of the task, or install the program");
}

TEST_F(OddAnswers, OfATypeNamedExecMaySayAnything) {
  begin("exec");
  const std::string many(100'000, '[');
  for (const std::string& second :
       {std::string("{\"started\":1}"), std::string("{\"started\":null,\"status\":{\"a\":[1]}}"),
        std::string("{\"signal\":\"SIGKILL\",\"status\":1e999}"),
        std::string("{\"status\":18446744073709551615,\"signal\":-9223372036854775808}"),
        std::string("[1]"), std::string("{"), many, "{\"a\":" + many + "}"}) {
    const auto autopsy = autopsy_after("it failed\n" + second);
    ASSERT_TRUE(autopsy.is_object()) << second.substr(0, 80);
    EXPECT_TRUE(autopsy.value("code", nlohmann::json()).is_primitive()) << autopsy;
    EXPECT_LT(autopsy.dump().size(), 4'096U + 512);
  }
  const auto large = "{\"status\":3,\"stdout\":\"" + std::string(200'000, 'x') + "\"}";
  EXPECT_FALSE(autopsy_after("it failed\n" + large).contains("code")) << "too much to look through";
}

// It ends in a Tick, without a death.
TEST_F(OddAnswers, WhatIsTakenFromOneThatDoesNotGoIsToldAsOfADeath) {
  auto configuration = small_configuration();
  configuration.pool.values.cancel_grace = configuration.pool.values.term_grace = milliseconds(10);
  configuration.pool.values.unkillable_after = milliseconds(50);
  configuration.classes.front().values.size = configuration.classes.front().values.size_min = 1;
  test = std::make_unique<TestDaemon>(configuration);
  test->processes.kills = false;
  client.emplace(test->connect());
  client->name_type("hang");
  ipc::SubmitMeta once;
  once.retries = 0;
  once.timeout = milliseconds(20);
  client->submit("x", 1, ipc::flag::kWait, once);
  ASSERT_TRUE(test->until(*client, [&] {
    test->time.pass(milliseconds(10));
    return client->find(Kind::Settled, 1) != nullptr;
  }));
  ASSERT_TRUE(test->log.has("gets SIGKILL: timeout"));
  const auto autopsy = autopsy_of(1);
  EXPECT_EQ(autopsy.at("cause"), "timeout");
  EXPECT_EQ(autopsy.at("by_warmpool"), true);
  EXPECT_NE(autopsy.at("sentence").get<std::string>().find("was killed and does not go"),
            std::string::npos);
  test->processes.kills = true;
}

TEST_F(OddAnswers, APayloadThatCannotBeReadToItsEndIsNoAnswerOfItsWorker) {
  begin("hang");
  give_from_file(4 << 20);
  submit(1);
  while (test->daemon.pool().queue().running == 0) test->daemon.turn(milliseconds(1));
  ASSERT_EQ(::ftruncate(file->get(), 0), 0);
  ASSERT_TRUE(settles(1));
  EXPECT_EQ(client->find(Kind::Settled, 1)->payload, kUnreadable);
  EXPECT_TRUE(test->log.has("is ended: the payload that it was being sent cannot be read"));
  EXPECT_EQ(autopsy_of(1).at("advice"), "its worker was not given it: see the sentence above");
}

TEST_F(OddAnswers, WhatAWorkerWasNotGivenAnswersNoPing) {
  begin("hang", "ping");
  test->processes.answers_pings = false;
  ASSERT_TRUE(test->until([&] { return check().value("failures_in_row", 0) >= 2; }));
  test->time.stop();
  const auto failures = check().at("failures_in_row");
  give_from_file(4096);
  ASSERT_EQ(::ftruncate(file->get(), 0), 0);
  submit(1);
  ASSERT_TRUE(settles(1));
  EXPECT_EQ(client->find(Kind::Settled, 1)->payload, kUnreadable);
  EXPECT_EQ(check().at("failures_in_row"), failures);
}

}  // namespace
}  // namespace warmpool::daemon
