// What a worker has in hand, the oldest first. The first leaves nearly always: that moves nothing.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace warmpool::daemon {

// Cost: push_back and erase of the first are constant, counted over many; other erasures move what
// comes behind. Order: push_back and erase end all references and iterators.
template <class T>
class Hand {
 public:
  using iterator = typename std::vector<T>::iterator;
  using const_iterator = typename std::vector<T>::const_iterator;

  iterator begin() { return items_.begin() + gone_; }
  iterator end() { return items_.end(); }
  const_iterator begin() const { return items_.begin() + gone_; }
  const_iterator end() const { return items_.end(); }
  std::size_t size() const { return items_.size() - static_cast<std::size_t>(gone_); }
  bool empty() const { return size() == 0; }
  T& front() { return *begin(); }
  const T& front() const { return *begin(); }
  T& back() { return items_.back(); }
  const T& back() const { return items_.back(); }

  void push_back(T item) {
    const bool mostly_gone = size() <= static_cast<std::size_t>(gone_);
    if (items_.size() == items_.capacity() && mostly_gone) {
      items_.erase(items_.begin(), begin());
      gone_ = 0;
    }
    items_.push_back(std::move(item));
  }

  void erase(iterator item) {
    if (item != begin()) {
      items_.erase(item);
      return;
    }
    *item = T{};  // what it holds is given back now
    ++gone_;
    if (!empty()) return;
    items_.clear();
    gone_ = 0;
  }

 private:
  std::vector<T> items_;
  std::ptrdiff_t gone_ = 0;  // so many at the beginning are empty
};

}  // namespace warmpool::daemon
