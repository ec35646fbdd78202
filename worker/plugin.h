/* Handlers in a shared object, loaded by `warmpool-worker --plugin FILE.so`. docs/worker.md has the
   page, and worker/examples/plugins/distance.cpp is one. In C, so that compilers and their versions
   may differ.

   A plug-in defines one function, in C++ inside extern "C":
     const struct warmpool_plugin *warmpool_plugin_get(void);
   It is called once, before the first task: what it loads is loaded once for each worker, or once for
   all that a template forks. NULL: it
   cannot serve; what it printed on standard error says why.

   Stable: what is here stays. Later versions add members at the ends of both structs; a worker
   reads those of a plug-in that its `version` has, and a plug-in those of a call that its `size`
   covers. */
#ifndef WARMPOOL_WORKER_PLUGIN_H
#define WARMPOOL_WORKER_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WARMPOOL_PLUGIN_VERSION 2u

enum warmpool_outcome {
  WARMPOOL_DONE = 0,
  WARMPOOL_FAILED = 1, /* tried again within its retries */
  WARMPOOL_FAILED_FOR_GOOD = 2,
  WARMPOOL_RETRY_AFTER = 3, /* tried again after `retry_after_ns` */
  WARMPOOL_HELD = 4         /* waits for a person */
};
enum warmpool_content {
  WARMPOOL_BYTES = 0,
  WARMPOOL_UTF8 = 1,
  WARMPOOL_JSON = 2,
  WARMPOOL_MSGPACK = 3
};

/* One run of one task. Owns: nothing that outlives handle(). Threads: the one that handle() is
 * called on. */
struct warmpool_call {
  size_t size; /* of this struct, as the worker knows it */
  uint64_t task, token;
  uint16_t round, attempt, failures, crashes;
  const char* type;
  const void* payload;
  size_t payload_bytes;
  int content;
  int64_t timeout_ns; /* 0: none */

  void* worker; /* the first argument of what follows */
  /* True once the daemon wants this run to end; costs one load: ask often. */
  int (*cancelled)(void* worker);
  /* Blocks: for so long, less if cancelled. True when it was. */
  int (*wait)(void* worker, int64_t nanoseconds);
  void (*progress)(void* worker, unsigned permille, const char* text);
  /* The result, or what went wrong; copied. The last one counts; without any it is empty. */
  void (*answer)(void* worker, int content, const void* bytes, size_t count);
  int64_t retry_after_ns; /* written by the plug-in */
  /* Made for this run alone, and removed after it; empty where its class has none such. */
  const char* directory;
  /* What an earlier attempt of this task left; no bytes: nothing. */
  const void* checkpoint;
  size_t checkpoint_bytes;
  int checkpoint_content;
  /* Leaves what the next attempt could go on from, at most 256 KiB, in place of what was left before.
   * False: it is larger, or this daemon keeps none. */
  int (*leave_checkpoint)(void* worker, int content, const void* bytes, size_t count);
  /* True from when the daemon asks for one until one is left; costs one load. */
  int (*checkpoint_wanted)(void* worker);
  /* As progress, with what there is of the result so far, 1 byte to 64 KiB, for who waits for it: each
   * stands for the whole. False: it is longer or empty, or this daemon passes none on. */
  int (*partial)(void* worker, unsigned permille, const char* text, int content, const void* bytes,
                 size_t count);
};

struct warmpool_plugin {
  uint32_t version;         /* WARMPOOL_PLUGIN_VERSION */
  const char* const* types; /* ends with NULL */
  /* Runs a task, one after the other; a warmpool_outcome. A C++ exception that leaves it is
   * WARMPOOL_FAILED with what(). */
  int (*handle)(struct warmpool_call* call);
  /* Since version 2. NULL, or called in each worker that a template has forked (option `preload` of the
   * class), before its first task: for threads, descriptors and seeds, which warmpool_plugin_get() must
   * not make then, because all workers would have the same. */
  void (*forked)(void);
};

#define WARMPOOL_PLUGIN_SYMBOL "warmpool_plugin_get"
typedef const struct warmpool_plugin* (*warmpool_plugin_function)(void);

#ifdef __cplusplus
}
#endif

#endif
