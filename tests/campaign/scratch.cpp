#include "tests/campaign/scratch.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace warmpool::campaign {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

Scratch::Scratch() {
  char name[] = "/tmp/warmpool-campaign.XXXXXX";
  if (::mkdtemp(name) != nullptr) path_ = name;
}

Scratch::~Scratch() {
  std::error_code none;
  fs::remove_all(path_, none);
}

// What has ended and was not waited for has no arguments any more.
pid_t Scratch::process_of(const std::string& argument) const {
  const std::string sought = '\0' + argument + '\0';
  std::error_code none;
  for (const auto& entry : fs::directory_iterator("/proc", none)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    if (read_file(entry.path() / "cmdline").find(sought) != std::string::npos) {
      return std::stoi(name);
    }
  }
  return 0;
}

void Scratch::keep_in(const std::string& directory, const std::string& also) const {
  if (directory.empty()) return;
  const auto target = fs::path(directory) / "evidence";
  const auto how = fs::copy_options::recursive | fs::copy_options::overwrite_existing;
  std::error_code none;
  fs::create_directories(target, none);
  fs::copy(path_, target, how, none);
  if (!also.empty()) fs::copy(also, target / fs::path(also).filename(), how, none);
}

}  // namespace warmpool::campaign
