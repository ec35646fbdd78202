// The store's own numbers of names, beside those that this life of the daemon uses.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/store/change.hpp"

namespace warmpool::daemon {

// Of one kind. Bounds: as many as there are names in the table and ids in this life.
class NameNumbers {
 public:
  explicit NameNumbers(NameKind kind) : kind_(kind) {}

  // A row of the table: the newest() and one.
  void know(std::uint32_t number, std::string name);
  // The last number that was given; 0: none.
  std::uint32_t newest() const {
    return names_.empty() ? 0 : static_cast<std::uint32_t>(names_.size() - 1);
  }
  // The name of a number that know() was told; empty for one that it was not.
  const std::string& name_of(std::uint32_t number) const;
  // `id` of this life has this number in the store.
  void join(std::uint32_t id, std::uint32_t number);

  // 0: not known yet, then number() with its name makes one, and adds to `changes` where it is new.
  std::uint32_t find(std::uint32_t id) const { return id < numbers_.size() ? numbers_[id] : 0; }
  std::uint32_t number(std::uint32_t id, std::string name, std::vector<Change>& changes);

 private:
  NameKind kind_;
  std::vector<std::uint32_t> numbers_;  // by id
  std::vector<std::string> names_;      // by number
  std::unordered_map<std::string, std::uint32_t> known_;
};

}  // namespace warmpool::daemon
