// A directory of its own for one campaign, gone with it.
#pragma once

#include <string>
#include <sys/types.h>

namespace warmpool::campaign {

class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::string& path() const { return path_; }
  // A living process with this argument; 0: none.
  pid_t process_of(const std::string& argument) const;
  // For who looks for the reason: copies all files, and `also`, to DIRECTORY/evidence.
  void keep_in(const std::string& directory, const std::string& also) const;

 private:
  std::string path_;
};

}  // namespace warmpool::campaign
