// The figures that are aimed at, as they were last taken, by whichever campaign takes them: a file
// of one line each, kept from run to run.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace warmpool::campaign {

enum class Met : std::uint8_t { Yes, No, TooFew, NoAim };

// What there is no such thing of is "-".
struct FigureRow {
  std::string n = "-", p50 = "-", p99 = "-", most = "-";  // most: the maximum, or all there is
  Met met = Met::NoAim;
  std::string taken{};  // on what machine
};

// "load 0.35": what others have to do on this machine, as the last minute was.
std::string load_text();

class FigureBook {
 public:
  // Reads what is there. An empty directory: nothing is kept.
  explicit FigureBook(const std::string& directory);

  // `name`: of the table of figures. Errors: REQUIREs that there is such a figure.
  void put(const std::string& name, FigureRow row);
  void save() const;

  // With a row for each figure, taken or not.
  std::string table() const;
  bool empty() const { return rows_.empty(); }
  // Whether one that was taken is not what it should be.
  bool is_missed() const;

 private:
  std::string path_;
  std::map<std::string, FigureRow> rows_;
};

}  // namespace warmpool::campaign
