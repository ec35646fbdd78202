// The bytes on the wire are a promise to programs that are built elsewhere: they change only with
// WARMPOOL_ACCEPT=1, which also writes the seeds of the fuzzers.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "tests/ipc/hex.hpp"
#include "tests/ipc/recode.hpp"
#include "tests/ipc/samples.hpp"
#include "tests/support/places.hpp"

namespace warmpool::ipc::test {
namespace {

namespace fs = std::filesystem;

const std::string kTests = warmpool::test::source_file("tests/");

std::string golden_text(const Sample& one) {
  const std::string bytes = bytes_of_sample(one);
  std::string text = "# " + one.name + "\n# header\n" + to_hex(bytes.substr(0, kHeaderBytes));
  if (!one.meta.empty()) text += "# meta\n" + to_hex(one.meta);
  if (!one.payload.empty()) text += "# payload\n" + to_hex(one.payload);
  return text;
}

void write_file(const std::string& path, const std::string& bytes) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

// The first byte of a frame seed tells who speaks: see frame_fuzz.cpp.
void write_seeds(const Sample& one) {
  const std::string corpus = kTests + "fuzz/corpus/";
  const bool is_first = rules_for(one).first;
  const char who = static_cast<char>(
      (one.from == Party::Daemon ? 4 : 0) |
      (one.from == Party::Worker || one.to == Party::Worker ? 1 : 0) | (is_first ? 2 : 0));
  write_file(corpus + "frame/" + one.name, who + bytes_of_sample(one));
  if (one.meta.empty()) return;
  write_file(corpus + "codec/" + one.name,
             static_cast<char>(static_cast<std::uint8_t>(one.header.kind)) + one.meta);
  if (one.header.kind == Kind::Request) write_file(corpus + "request/" + one.name, one.meta);
}

// A step of session_fuzz.cpp: who speaks (0 a client, 1 a worker), length, bytes.
std::string step(char who, const std::string& bytes) {
  return who + std::string{static_cast<char>(bytes.size()), static_cast<char>(bytes.size() >> 8U)} +
         bytes;
}

// Every frame that the daemon hears, after a greeting and a submit of the same client.
void write_session(const std::vector<Sample>& all, const Sample& one) {
  if (one.name == "hello-registered") {  // where clients say hello
    std::string joins;
    for (const char* name : {"hello-registered", "beat", "done", "leave"}) {
      joins += step(0, bytes_of_sample(sample(all, name)));
    }
    return write_file(kTests + "fuzz/corpus/session/" + one.name, joins);
  }
  if (one.to != Party::Daemon || rules_for(one).first) return;
  std::string session;
  for (const char* name : {"hello-client", "type-name", "submit-plain"}) {
    session += step(0, bytes_of_sample(sample(all, name)));
  }
  session += step(one.from == Party::Worker ? 1 : 0, bytes_of_sample(one));
  write_file(kTests + "fuzz/corpus/session/" + one.name, session);
}

TEST(Golden, BytesOfEveryMessageStayAsTheyAre) {
  const bool accept = std::getenv("WARMPOOL_ACCEPT") != nullptr;
  const auto all = samples();
  for (const Sample& one : all) {
    const std::string path = kTests + "ipc/golden/" + one.name + ".hex";
    if (accept) {
      write_file(path, golden_text(one));
      write_seeds(one);
      write_session(all, one);
    }
    EXPECT_EQ(read_file(path), golden_text(one)) << path;
  }
  if (accept) GTEST_SKIP() << "golden files were written";
}

TEST(Golden, EveryFileBelongsToASample) {
  std::set<std::string> known;
  for (const Sample& one : samples()) known.insert(one.name + ".hex");
  std::set<std::string> found;
  for (const auto& entry : fs::directory_iterator(kTests + "ipc/golden")) {
    found.insert(entry.path().filename().string());
  }
  EXPECT_EQ(found, known);
}

TEST(Golden, EveryKindAndEveryVerbHasASample) {
  std::set<std::string_view> kinds, verbs;
  for (const Sample& one : samples()) {
    kinds.insert(name_of(one.header.kind));
    if (one.header.kind == Kind::Request) {
      verbs.insert(name_of(decode<RequestMeta>(bytes_of(one.meta))->verb));
    }
  }
  EXPECT_EQ(kinds.size(), kind_rows().size());
  EXPECT_EQ(verbs.size(), verb_rows().size());
}

TEST(Golden, EveryMetaDecodesToWhatItWasMadeOf) {
  for (const Sample& one : samples()) {
    auto again = recode(one.header.kind, bytes_of(one.meta));
    ASSERT_TRUE(again) << one.name << ": " << again.error().text;
    EXPECT_EQ(*again, one.meta) << one.name;
  }
}

}  // namespace
}  // namespace warmpool::ipc::test
