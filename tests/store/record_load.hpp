// Records of a pool at work, without the pool, and what any number of the first of them come to.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "daemon/store/task_image.hpp"
#include "tests/store/store_fixture.hpp"

namespace warmpool::daemon {

struct Kept {
  Record record;
  std::string body;
  bool relaxed = false;  // its task is
  StoreEntry entry(std::uint64_t number) const;
};

// What is told of a task, as text, so that a difference can be read.
std::string told(const std::optional<StoredTask>& task);

// Tasks are accepted, leave checkpoints, fail, are done, die, are revived and removed.
class Load {
 public:
  // `large_one_in`: so often a payload or result is over 64 KiB; `relaxed_one_in`: so often a task
  // is of durability relaxed; 0: never.
  explicit Load(std::uint64_t seed, std::uint64_t large_one_in = 0,
                std::uint64_t relaxed_one_in = 0)
      : random_(seed), large_one_in_(large_one_in), relaxed_one_in_(relaxed_one_in) {}

  std::vector<Kept> take(std::uint64_t records);
  Kept next();
  std::uint64_t tasks() const { return last_; }

 private:
  struct Task {
    std::uint64_t id;
    std::uint16_t round = 1, attempt = 0, failures = 0;
    bool dead = false, relaxed = false, saved = false;
  };
  std::string bytes();
  Kept accept();
  Kept fail(Task& task);
  Kept save(Task& task);
  Kept settle(std::size_t at, Verdict verdict);
  Kept after_death(std::size_t at);

  std::mt19937_64 random_;
  std::uint64_t large_one_in_, relaxed_one_in_;
  std::vector<Task> live_;
  std::uint64_t last_ = 0;
};

// What the first records come to, grown as more of them are asked for.
class Model {
 public:
  explicit Model(const std::vector<Kept>& records) : records_(records) { clear(); }
  const TaskImage& at(std::uint64_t count);
  // Rounds settled by then.
  SettledTotals totals(std::uint64_t count) const;

 private:
  void clear();

  const std::vector<Kept>& records_;
  std::unique_ptr<TaskImage> image_;
  std::size_t applied_ = 0;
};

}  // namespace warmpool::daemon
