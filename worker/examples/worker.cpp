// A worker of your own: counts words, and refuses to count one too often. Name it in a class:
//
//   [[class]]
//   name = "words"
//   command = ["/usr/local/bin/example-worker"]
//   types = ["words.*"]
#include "worker/worker.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <string>

using namespace warmpool::worker;

namespace {

using Words = std::map<std::string, std::size_t, std::less<>>;

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }

Words words_of(std::string_view text) {
  Words words;
  while (!text.empty()) {
    const auto begin = std::ranges::find_if(text, is_letter);
    const auto end = std::find_if_not(begin, text.end(), is_letter);
    if (begin != end) ++words[std::string(begin, end)];
    text.remove_prefix(static_cast<std::size_t>(end - text.begin()));
  }
  return words;
}

// What is loaded before run() is loaded once for each worker, not for each task.
class Counter {
 public:
  explicit Counter(std::set<std::string, std::less<>> ignored) : ignored_(std::move(ignored)) {}

  // {"the":2,"end":1}; no retry makes an empty text longer.
  Answer count(Context& context) const {
    Words words = words_of(context.text());
    std::erase_if(words, [&](const auto& word) { return ignored_.contains(word.first); });
    if (words.empty()) return failed_for_good("there is no word in it");
    std::string json;
    for (const auto& [word, times] : words) {
      json += (json.empty() ? "{\"" : ",\"") + word + "\":" + std::to_string(times);
    }
    return done(json + "}", warmpool::Content::Json);
  }

 private:
  std::set<std::string, std::less<>> ignored_;
};

// Long work asks often whether it is still wanted, and says how far it is.
Answer count_slowly(Context& context) {
  const auto words = words_of(context.text());
  unsigned counted = 0;
  for (const auto& [word, times] : words) {
    if (context.wait_for(std::chrono::milliseconds(10))) return failed("cancelled");
    context.progress(static_cast<unsigned>(1000 * ++counted / words.size()), word);
  }
  return done(std::to_string(counted), warmpool::Content::Utf8);
}

}  // namespace

int main(int argc, char** argv) {
  std::set<std::string, std::less<>> ignored(argv + 1, argv + argc);
  const Counter counter(std::move(ignored));
  Worker worker("example-worker");
  worker.handle("words.count", [&](Context& context) { return counter.count(context); });
  worker.handle("words.slowly", count_slowly);
  return worker.run();
}
