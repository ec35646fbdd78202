// Relaxed stores are enough: no word guards another one, and the death of a process publishes all
// that it had stored. The marker is one word, the token, so that it cannot be half written: a whole
// key would take three. begin() and end() cost 1 ns each (plain stores to a line that nobody else
// writes); a beat as a frame costs the worker a write and the daemon a wake-up and a read.
#include "ipc/worker_page.hpp"

#include <atomic>
#include <cerrno>

namespace warmpool::ipc {
namespace {

WorkerPage& page_in(const Mapping& mapping) {
  return *reinterpret_cast<WorkerPage*>(mapping.data());
}

template <class Word>
Word load(Word& word) {
  return std::atomic_ref<Word>(word).load(std::memory_order_relaxed);
}

template <class Word>
void store(Word& word, Word value) {
  std::atomic_ref<Word>(word).store(value, std::memory_order_relaxed);
}

constexpr LayoutRow kRows[] = {
    WARMPOOL_LAYOUT_ROW(WorkerPage, magic, "the bytes `WPPAGE01`"),
    WARMPOOL_LAYOUT_ROW(WorkerPage, version, "of this table: 1"),
    WARMPOOL_LAYOUT_ROW(WorkerPage, bytes, "of the page: 4,096"),
    WARMPOOL_LAYOUT_ROW(WorkerPage, worker, "the worker's id, as in its *hello*"),
    WARMPOOL_LAYOUT_ROW(WorkerPage, beats, "one more with each beat"),
    WARMPOOL_LAYOUT_ROW(WorkerPage, beat_at, "`CLOCK_MONOTONIC` of the last one, in nanoseconds"),
    WARMPOOL_LAYOUT_ROW(WorkerPage, running,
                        "the token of the attempt whose handler runs; 0 while none does"),
    WARMPOOL_LAYOUT_ROW(WorkerPage, begun, "handlers begun"),
    WARMPOOL_LAYOUT_ROW(WorkerPage, ended, "handlers that have returned"),
    WARMPOOL_LAYOUT_ROW(WorkerPage, busy_ns, "nanoseconds spent in those"),
    WARMPOOL_LAYOUT_ROW(WorkerPage, in_hand, "attempts given and not begun"),
    WARMPOOL_LAYOUT_ROW(WorkerPage, unsent_bytes, "of answers that wait to be written"),
    WARMPOOL_LAYOUT_ROW(WorkerPage, revoked_from, "reserved: 0"),
};

}  // namespace

std::span<const LayoutRow> page_rows() { return kRows; }

Result<PageReader> PageReader::make(std::uint64_t worker, UniqueFd& to_give) {
  auto fd = make_sealed_memory("warmpool-page", kPageBytes);
  if (!fd) return fd.error();
  auto mapping = Mapping::of(fd->get(), kPageBytes, Mapping::Access::ReadWrite);
  if (!mapping) return mapping.error();
  WorkerPage& page = page_in(*mapping);
  page.magic = kPageMagic;
  page.version = kPageVersion;
  page.bytes = kPageBytes;
  page.worker = worker;
  to_give = std::move(*fd);
  return PageReader(std::move(*mapping));
}

PageTallies PageReader::read() const {
  WorkerPage& page = page_in(mapping_);
  return {.beats = load(page.beats),
          .beat_at = load(page.beat_at),
          .running = load(page.running),
          .begun = load(page.begun),
          .ended = load(page.ended),
          .busy_ns = load(page.busy_ns),
          .in_hand = load(page.in_hand),
          .unsent_bytes = load(page.unsent_bytes)};
}

PageWriter::PageWriter(Mapping mapping) : mapping_(std::move(mapping)) {}

Result<PageWriter> PageWriter::open(const UniqueFd& given, std::uint64_t worker) {
  auto mapping = Mapping::of(given.get(), kPageBytes, Mapping::Access::ReadWrite);
  if (!mapping) return mapping.error();
  const WorkerPage& page = page_in(*mapping);
  if (page.magic != kPageMagic || page.version != kPageVersion || page.bytes != kPageBytes ||
      page.worker != worker) {
    return Error{EINVAL, "what came with welcome is no page of version " +
                             std::to_string(kPageVersion) + " for this worker"};
  }
  return PageWriter(std::move(*mapping));
}

void PageWriter::beat(std::int64_t monotonic_ns) {
  WorkerPage& page = page_in(mapping_);
  store(page.beat_at, own_.beat_at = monotonic_ns);
  store(page.beats, ++own_.beats);
}

void PageWriter::begin(std::uint64_t token) {
  WorkerPage& page = page_in(mapping_);
  store(page.running, token);
  store(page.begun, ++own_.begun);
}

void PageWriter::end(std::int64_t took_ns) {
  WorkerPage& page = page_in(mapping_);
  store(page.running, std::uint64_t{0});
  store(page.ended, ++own_.ended);
  store(page.busy_ns, own_.busy_ns += static_cast<std::uint64_t>(took_ns));
}

void PageWriter::gauge(std::uint64_t in_hand, std::uint64_t unsent_bytes) {
  WorkerPage& page = page_in(mapping_);
  store(page.in_hand, in_hand);
  store(page.unsent_bytes, unsent_bytes);
}

}  // namespace warmpool::ipc
