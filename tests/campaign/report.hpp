// What a campaign did and found, as a table for people.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace warmpool::campaign {

class Report {
 public:
  explicit Report(std::string title) : title_(std::move(title)) {}

  void row(std::string name, std::string value);
  void row(std::string name, std::uint64_t value) { row(std::move(name), std::to_string(value)); }
  // Text that stands behind the rows, such as a table of its own.
  void section(std::string markdown) { sections_ += "\n" + std::move(markdown); }
  // "median 12 ms, max 40 ms"
  void times(std::string name, std::vector<double> milliseconds);
  // The rule of three: after `runs` without a loss, with 95 % confidence.
  void bound(std::string name, std::uint64_t runs, bool clean);
  // Something that must not be. The first ones are shown.
  void violation(std::string text);
  std::uint64_t violations() const { return violation_count_; }

  // Prints it; with a directory also DIRECTORY/<name>.md. Returns the program's exit status.
  int publish(const std::string& directory, const std::string& name) const;

 private:
  std::string markdown() const;

  std::string title_;
  std::vector<std::pair<std::string, std::string>> rows_;
  std::string sections_;
  std::vector<std::string> violations_;
  std::uint64_t violation_count_ = 0;
};

// A line about how far it is; on standard error.
void progress(const std::string& line);

}  // namespace warmpool::campaign
