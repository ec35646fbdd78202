// The servers that durable acceptance is measured on: how each is started, and what is said to it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "client/cli/pipeline.hpp"
#include "pool/words.hpp"

namespace warmpool::cli {

inline constexpr std::size_t kJobBytes = 64;

// A queue server of somebody else, told to sync each job before it answers.
struct PeerServer {
  const char* name = "";
  const char* settings = "";         // what makes it durable
  std::vector<std::string> command;  // "@DIR@" stands for its directory
  ReadAnswers read = nullptr;
  // What connections say first: who puts what nobody takes, who puts jobs, who takes results, who
  // takes jobs and puts results.
  std::vector<std::string> greeting_of_holder, greeting_of_client, greeting_of_taker,
      greeting_of_worker;
  std::string put_held, put_job, put_result, take_job, take_result;
  // Takers may ask again before they have been answered.
  bool takes_many = false;
  // What is to be said of something that was taken, if anything; `taken` is its answer.
  std::string (*drop)(const std::string& taken) = nullptr;
};

// Redis with an append-only file, and beanstalkd with a binary log; both listen on @DIR@/socket.
const std::vector<PeerServer>& peer_servers();

// warmpoold, by frames: what a client says first, and a submit of type `type`.
std::string warmpool_greeting(const std::string& type);
std::string warmpool_submit(Durability durability);
Result<Answers> read_warmpool(std::string_view bytes);

}  // namespace warmpool::cli
