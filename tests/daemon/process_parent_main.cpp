// A daemon in miniature that can be killed: starts one worker, prints its pid and what it prints,
// and waits for its own end. Usage: test-process-parent LAUNCHER RUNTIME-DIRECTORY SCRIPT
#include <cstdio>
#include <poll.h>
#include <unistd.h>

#include "daemon/process/linux_processes.hpp"

int main(int argc, char** argv) {
  using namespace warmpool::daemon;
  if (argc != 4 || !become_subreaper()) return 2;
  auto mark = make_life_mark(argv[2]);
  if (!mark) return 2;
  auto port = make_linux_processes({argv[1], *mark, CgroupUse::Never});
  if (!port) return 2;
  SpawnSpec spec;
  spec.worker = warmpool::WorkerId{1};
  spec.slot = "worker-0";
  spec.command = {"/bin/sh", "-c", argv[3]};
  auto child = (*port)->spawn(spec);
  if (!child) return 2;
  std::printf("%d\n", child->pid);
  std::fflush(stdout);
  while (true) {
    char buffer[256];
    pollfd waiting{child->output.get(), POLLIN, 0};
    poll(&waiting, 1, -1);
    const ssize_t bytes = read(child->output.get(), buffer, sizeof buffer);
    if (bytes == 0) pause();
    if (bytes > 0 && write(STDOUT_FILENO, buffer, static_cast<std::size_t>(bytes)) < 0) return 2;
  }
}
