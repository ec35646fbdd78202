#include "tests/campaign/workers/run_reader.hpp"

#include <sstream>

namespace warmpool::campaign {

const Runs& RunReader::read() {
  file_.clear();
  std::stringstream text;
  text << file_.rdbuf();
  rest_ += text.str();
  for (std::size_t end = 0; (end = rest_.find('\n')) != std::string::npos;) {
    std::istringstream line(rest_.substr(0, end));
    std::uint64_t id = 0;
    Ran ran;
    if (line >> id >> ran.round >> ran.attempt >> ran.at >> ran.token >> ran.worker) {
      runs_.emplace(id, ran);
    }
    rest_.erase(0, end + 1);
  }
  return runs_;
}

}  // namespace warmpool::campaign
