// One frame of every kind and every verb, and more where a kind has several faces. Golden files,
// the worked examples of docs/protocol.md and the seeds of the fuzzers are made of them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ipc/codec.hpp"
#include "ipc/frame.hpp"

namespace warmpool::ipc::test {

struct Sample {
  std::string name;
  Party from, to;
  Header header;
  std::string meta, payload;
};

std::vector<Sample> samples();
const Sample& sample(const std::vector<Sample>& all, std::string_view name);

// As on the wire.
std::string bytes_of_sample(const Sample& sample);
// What lets it through, and nothing more than needed.
FrameRules rules_for(const Sample& sample);

template <class Meta>
std::string encoded(const Meta& meta) {
  std::string out;
  encode(meta, out);
  return out;
}

}  // namespace warmpool::ipc::test
