// What every store keeps to, and the bounds of the volatile one.
#include <gtest/gtest.h>

#include "tests/store/fake_store.hpp"
#include "tests/store/finished.hpp"
#include "tests/store/store_fixture.hpp"

namespace warmpool::daemon {
namespace {

Options small_options() {
  auto options = default_options();
  options.results_max = 3;
  options.results_bytes_max = 100;
  options.results_age_max = seconds(10);
  return options;
}

// A store with all that it stands on.
struct Made {
  std::unique_ptr<SqliteLives> lives;  // of a durable one
  std::unique_ptr<Store> owned;
  Store* store = nullptr;
};

template <class Kind>
Made make() {
  Made made;
  made.owned = std::make_unique<Kind>(small_options());
  made.store = made.owned.get();
  return made;
}

Made make_sqlite() {
  Made made;
  made.lives = std::make_unique<SqliteLives>();
  made.lives->options = small_options();
  made.store = made.lives->open();
  return made;
}

class StoreContract : public testing::TestWithParam<Made (*)()>, public RecordDriver {
 protected:
  StoreContract() : StoreContract(GetParam()()) {}

 private:
  explicit StoreContract(Made made) : RecordDriver(*made.store), made_(std::move(made)) {}
  Made made_;

 protected:
  Store* store_ = made_.store;
};

TEST_P(StoreContract, AnswersLateAndCumulatively) {
  EXPECT_FALSE(store_->take_answers().persisted);
  accept(1, "a");
  accept(2, "b");
  EXPECT_TRUE(settled());
  EXPECT_FALSE(store_->take_answers().persisted);
}

TEST_P(StoreContract, KeepsThePayloadUntilTheTaskHasSettledAndThenItsResult) {
  accept(1, "payload");
  EXPECT_EQ(text_of(*store_->find(TaskId{1})), "payload");
  EXPECT_EQ(store_->find(TaskId{1})->uid, 7U);
  start(1, 1);
  EXPECT_FALSE(store_->find(TaskId{1})->verdict);
  settle(1, Verdict::Done, "result");
  EXPECT_EQ(store_->find(TaskId{1})->verdict, Verdict::Done);
  EXPECT_EQ(text_of(*store_->find(TaskId{1})), "result");
  EXPECT_EQ(store_->find(TaskId{1})->attempts, nullptr);
  EXPECT_EQ(store_->figures().payload_bytes, 0U);
  EXPECT_EQ(store_->figures().result_bytes, 6U);
}

TEST_P(StoreContract, KeepsThePayloadOfADeadLetterForItsNextRound) {
  accept(1, "payload");
  start(1, 1);
  settle(1, Verdict::Dead, "an error");
  EXPECT_EQ(text_of(*store_->find(TaskId{1})), "payload");
  EXPECT_EQ(*store_->find(TaskId{1})->error, "an error");
  keep(record::Revived{TaskId{1}, 2, Instant{6}, Instant{6}});
  EXPECT_FALSE(store_->find(TaskId{1})->verdict);
  settle(1, Verdict::Dead, "again", 7, 1, 2);
  keep(record::Removed{TaskId{1}, false, Instant{7}});
  EXPECT_FALSE(store_->find(TaskId{1}));
  EXPECT_TRUE(settled());
}

TEST_P(StoreContract, ANewRoundMayHaveAnotherPayload) {
  accept(1, "payload");
  start(1, 1);
  settle(1, Verdict::Dead, "an error");
  keep(record::Revived{TaskId{1}, 2, Instant{6}, Instant{6}, 5}, "other");
  EXPECT_EQ(text_of(*store_->find(TaskId{1})), "other");
  EXPECT_EQ(store_->find(TaskId{1})->payload_bytes, 5U);
  EXPECT_EQ(*store_->find(TaskId{1})->error, "an error") << "its history stays";
  EXPECT_EQ(store_->figures().payload_bytes, 5U);
  settle(1, Verdict::Done, "result", 7, 1, 2);
  EXPECT_EQ(store_->figures().payload_bytes, 0U);
  EXPECT_TRUE(settled());
}

record::Checkpointed checkpoint_of(std::uint64_t task, std::uint16_t attempt, std::uint32_t bytes,
                                   std::uint16_t round = 1) {
  return {TaskId{task}, round, attempt, bytes, Instant{4}};
}

std::string checkpoint_text(const Store& store, std::uint64_t task) {
  const auto stored = store.find(TaskId{task});
  if (!stored || stored->checkpoint == nullptr) return "none";
  return std::string(ipc::text_of(stored->checkpoint->body.bytes()));
}

TEST_P(StoreContract, KeepsTheLastCheckpointOfATaskUntilItHasSettled) {
  accept(1, "payload");
  start(1, 1);
  EXPECT_EQ(checkpoint_text(*store_, 1), "none");
  keep(checkpoint_of(1, 1, 5), "first");
  keep(checkpoint_of(1, 1, 6), "second");
  EXPECT_EQ(checkpoint_text(*store_, 1), "second");
  EXPECT_EQ(store_->find(TaskId{1})->checkpoint->attempt, 1);
  EXPECT_EQ(store_->figures().checkpoint_bytes, 6U);
  end(1, 1, "crashed");
  EXPECT_EQ(checkpoint_text(*store_, 1), "second") << "it is for the next attempt";
  settle(1, Verdict::Done, "result", 7, 2);
  EXPECT_EQ(checkpoint_text(*store_, 1), "none");
  EXPECT_EQ(store_->figures().checkpoint_bytes, 0U);
  EXPECT_TRUE(settled());
}

TEST_P(StoreContract, ACheckpointWithoutBytesTakesTheLastOneAway) {
  accept(1, "payload");
  keep(checkpoint_of(1, 1, 5), "first");
  keep(checkpoint_of(1, 1, 0), "");
  EXPECT_EQ(checkpoint_text(*store_, 1), "none");
  EXPECT_TRUE(settled());
}

TEST_P(StoreContract, ACheckpointOfAnEarlierRoundOrOfNoTaskChangesNothing) {
  accept(1, "payload");
  settle(1, Verdict::Dead, "an error");
  keep(checkpoint_of(1, 1, 4), "late");
  keep(record::Revived{TaskId{1}, 2, Instant{6}, Instant{6}});
  keep(checkpoint_of(1, 1, 4), "late");
  keep(checkpoint_of(9, 1, 4), "late");
  EXPECT_EQ(checkpoint_text(*store_, 1), "none");
  EXPECT_TRUE(settled());
}

TEST_P(StoreContract, ADeadLetterHandsItsCheckpointOnUnlessItGetsAnotherPayload) {
  for (const std::uint64_t task : {1U, 2U, 3U}) {
    accept(task, "payload");
    keep(checkpoint_of(task, 1, 5), "state");
    settle(task, Verdict::Dead, "an error");
    EXPECT_EQ(checkpoint_text(*store_, task), "state");
  }
  keep(record::Revived{TaskId{1}, 2, Instant{6}, Instant{6}});
  keep(record::Revived{TaskId{2}, 2, Instant{6}, Instant{6}, 5}, "other");
  keep(record::Removed{TaskId{3}, false, Instant{7}});
  EXPECT_EQ(checkpoint_text(*store_, 1), "state");
  EXPECT_EQ(checkpoint_text(*store_, 2), "none");
  EXPECT_EQ(store_->figures().checkpoints, 1U);
  EXPECT_TRUE(settled());
}

TEST_P(StoreContract, ChangesNothingWhenARecordComesTwice) {
  accept(1, "payload");
  accept(1, "payload");
  settle(1, Verdict::Done, "result");
  settle(1, Verdict::Done, "other");
  EXPECT_EQ(text_of(*store_->find(TaskId{1})), "result");
  EXPECT_EQ(store_->figures().finished, 1U);
  keep(record::Removed{TaskId{9}, false, Instant{7}});
  start(9, 1);
  EXPECT_TRUE(settled());
}

TEST_P(StoreContract, KeepsTheFirstAndTheLastAttempts) {
  accept(1, "payload");
  for (std::uint16_t attempt = 1; attempt <= 100; ++attempt) {
    end(1, attempt, "error " + std::to_string(attempt), {"line " + std::to_string(attempt)});
  }
  const auto task = *store_->find(TaskId{1});
  ASSERT_EQ(task.attempts->size(), kFirstAttemptsKept + kLastAttemptsKept);
  EXPECT_EQ(task.attempts->at(7).attempt, 8);
  EXPECT_EQ(task.attempts->at(8).attempt, 45);
  EXPECT_EQ(task.attempts->back().attempt, 100);
  EXPECT_EQ(task.attempts_dropped, 36U);
  EXPECT_EQ(*task.error, "error 100");
  EXPECT_EQ(task.attempts->back().output, std::vector<std::string>{"line 100"});
  EXPECT_TRUE(task.attempts->front().output.empty());
  EXPECT_TRUE(settled());
}

TEST_P(StoreContract, CutsErrorsAndOutput) {
  accept(1, "payload");
  end(1, 1, std::string(100'000, 'e'), {std::string(100'000, 'o'), std::string(2000, 'p')});
  const auto task = *store_->find(TaskId{1});
  EXPECT_EQ(task.error->size(), kLastErrorKeptMax);
  EXPECT_EQ(task.attempts->front().error.size(), kErrorKeptMax);
  EXPECT_EQ(task.attempts->front().output, std::vector<std::string>{std::string(2000, 'p')});
}

TEST_P(StoreContract, SaysOfAReceivedResultThatItIsGone) {
  accept(1, "p");
  end(1, 1, "once");
  settle(1, Verdict::Done, "r");
  ASSERT_TRUE(settled());
  EXPECT_FALSE(store_->find(TaskId{1})->result_gone);
  store_->received(TaskId{1});
  EXPECT_TRUE(store_->find(TaskId{1})->result_gone);
}

TEST_P(StoreContract, DropsTheOldestResultsBeyondItsBounds) {
  for (std::uint64_t task = 1; task <= 5; ++task) {
    accept(task, "p");
    settle(task, Verdict::Done, "r");
  }
  EXPECT_FALSE(store_->find(TaskId{2}));
  EXPECT_TRUE(store_->find(TaskId{3}));
  accept(6, "p");
  settle(6, Verdict::Done, std::string(99, 'r'));
  EXPECT_TRUE(store_->find(TaskId{6}));
  EXPECT_FALSE(store_->find(TaskId{4}));
  EXPECT_EQ(store_->figures().results_dropped, 4U);
  store_->trim(Instant{seconds(11).ns});
  EXPECT_EQ(store_->figures().finished, 0U);
  EXPECT_TRUE(settled());
}

TEST_P(StoreContract, ListsFinishedTasksInOrderOfTheirIds) {
  for (const std::uint64_t task : {3U, 1U, 2U}) {
    accept(task, "p");
    settle(task, task == 2 ? Verdict::Cancelled : Verdict::Done, "r");
  }
  EXPECT_EQ(finished(*store_, {}, 2), (std::vector<TaskId>{{1}, {2}}));
  EXPECT_EQ(finished(*store_, TaskId{1}, 9, Verdict::Done), (std::vector<TaskId>{{3}}));
  EXPECT_TRUE(finished(*store_, {}, 9, {}, TypeId{4}).empty());
}

TEST_P(StoreContract, DropsWhatIsAskedForAndNothingThatHasNotFinished) {
  for (std::uint64_t task = 1; task <= 3; ++task) accept(task, "p");
  settle(1, Verdict::Done, "r", 5);
  settle(2, Verdict::Cancelled, "", 6);
  settle(3, Verdict::Dead, "error", 7);
  accept(4, "p");
  ASSERT_TRUE(settled());
  EXPECT_EQ(store_->settled_before(Instant{6}, std::nullopt), std::vector<TaskId>{TaskId{1}});
  EXPECT_EQ(store_->settled_before(Instant{9}, Verdict::Cancelled), std::vector<TaskId>{TaskId{2}});
  EXPECT_EQ(store_->settled_before(Instant{9}, std::nullopt).size(), 2U);
  EXPECT_TRUE(store_->drop(TaskId{1}));
  for (const std::uint64_t task : {1U, 3U, 4U, 5U})
    EXPECT_FALSE(store_->drop(TaskId{task})) << task;
  EXPECT_FALSE(store_->find(TaskId{1}));
  EXPECT_EQ(store_->figures().result_bytes, 0U);
  EXPECT_EQ(store_->figures().finished, 1U);
}

TEST_P(StoreContract, SharesLargeBodiesAndCopiesSmallOnes) {
  accept(1, std::string(Blob::kSharedBytesMin, 'x'));
  accept(2, std::string(Blob::kSharedBytesMin - 1, 'x'));
  EXPECT_NE(store_->find(TaskId{1})->body->shared().size(), 0U);
  EXPECT_EQ(store_->find(TaskId{2})->body->shared().size(), 0U);
  EXPECT_EQ(store_->find(TaskId{1})->body->size(), Blob::kSharedBytesMin);
}

// A list in braces inside the macro would be several of its arguments.
const char* name_of_store(const testing::TestParamInfo<Made (*)()>& one) {
  constexpr const char* names[] = {"Volatile", "Fake", "Sqlite"};
  return names[one.index];
}

INSTANTIATE_TEST_SUITE_P(All, StoreContract,
                         testing::Values(&make<VolatileStore>, &make<FakeStore>, &make_sqlite),
                         name_of_store);

}  // namespace
}  // namespace warmpool::daemon
