// What is asked is asked of /proc: what libraries do behind our back is seen there too.
#include "worker/template_fitness.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fstream>
#include <iterator>
#include <memory>
#include <unistd.h>
#include <vector>

namespace warmpool::worker {
namespace {

constexpr const char* kThreads = "/proc/self/task";
constexpr const char* kDescriptors = "/proc/self/fd";

// Without that of the listing itself.
std::vector<std::string> names_in(const char* directory) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(directory), ::closedir);
  if (listing == nullptr) return names;
  const std::string own = std::to_string(::dirfd(listing.get()));
  const bool lists_own = std::strcmp(directory, kDescriptors) == 0;
  while (const dirent* entry = ::readdir(listing.get())) {
    if (entry->d_name[0] == '.' || (lists_own && own == entry->d_name)) continue;
    names.emplace_back(entry->d_name);
  }
  return names;
}

std::string path_of(const char* directory, const std::string& name) {
  std::string path = directory;
  return path.append("/").append(name);
}

std::string target_of(const std::string& link) {
  char target[256];
  const auto bytes = ::readlink(link.c_str(), target, sizeof target);
  return bytes < 0 ? "?" : std::string(target, static_cast<std::size_t>(bytes));
}

std::string descriptors_fault(int own) {
  std::string found;
  for (const auto& name : names_in(kDescriptors)) {
    const int number = std::atoi(name.c_str());
    if (number <= STDERR_FILENO || number == own) continue;
    if (!found.empty()) found += ", ";
    found.append(name).append(": ").append(target_of(path_of(kDescriptors, name)));
  }
  if (found.empty()) return {};
  return "what was loaded has left descriptors open (" + found +
         "); open these in the first task, or after the fork (Worker::on_fork, `forked` of a "
         "plug-in)";
}

}  // namespace

std::string threads_fault() {
  const auto threads = names_in(kThreads);
  if (threads.size() <= 1) return {};
  std::string names;
  for (const auto& thread : threads) {
    if (thread == std::to_string(::getpid())) continue;
    std::string name = "?";
    std::getline(std::ifstream(path_of(kThreads, thread).append("/comm")), name);
    if (!names.empty()) names += ", ";
    names += name;
  }
  return "what was loaded has started threads (" + names +
         "); start these in the first task, or after the fork (Worker::on_fork, `forked` of a "
         "plug-in)";
}

std::string unfit_to_fork(int own) {
  const auto threads = threads_fault();
  return threads.empty() ? descriptors_fault(own) : threads;
}

bool overwrite_mark(const char* variable, std::string_view value) {
  char* place = std::getenv(variable);
  if (place == nullptr || std::strlen(place) != value.size()) return false;
  std::memcpy(place, value.data(), value.size());
  std::ifstream file("/proc/self/environ", std::ios::binary);
  const std::string block(std::istreambuf_iterator<char>(file), {});
  for (std::string_view rest = block; !rest.empty();) {
    const std::string_view entry = rest.substr(0, rest.find('\0'));
    if (entry.size() > value.size() && entry.ends_with(value) && entry.starts_with(variable)) {
      return true;
    }
    rest.remove_prefix(std::min(entry.size() + 1, rest.size()));
  }
  return false;
}

}  // namespace warmpool::worker
