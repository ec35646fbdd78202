// What the world may refuse: a value, or an error whose text holds the values that matter and says
// what to do next.
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "pool/require.hpp"

namespace warmpool {

struct Error {
  int code = 0;      // errno, or a number of the part that failed; 0 where none fits
  std::string text;  // one line, no trailing full stop
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}
  Result(Error error) : state_(std::move(error)) {}

  explicit operator bool() const { return state_.index() == 0; }
  T& value() {
    REQUIRE(state_.index() == 0);
    return std::get<0>(state_);
  }
  const T& value() const {
    REQUIRE(state_.index() == 0);
    return std::get<0>(state_);
  }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const {
    REQUIRE(state_.index() == 1);
    return std::get<1>(state_);
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), failed_(true) {}

  explicit operator bool() const { return !failed_; }
  const Error& error() const {
    REQUIRE(failed_);
    return error_;
  }

 private:
  Error error_;
  bool failed_ = false;
};

}  // namespace warmpool
