# Compiler and linker flags of all targets, by kind of build.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# Static libraries end up in position independent executables too; "-pie" is in targets.cmake.
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Kind of build" FORCE)
endif()

# NDEBUG is never set: REQUIRE and assert stay on in release.
# -g1: stack traces have lines, and the debug information stays small.
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2")

# The sloppiness is what ccache asks for before it keeps objects that were made with a precompiled header.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
    ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE_PROGRAM})
endif()

# Reading the standard library's headers is more than half of a unit's cost. Nothing may rely on what is precompiled:
# scripts/check_includes.py finds a missing include.
option(WARMPOOL_PRECOMPILE "Precompile the headers of libraries" ON)
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(WARMPOOL_PRECOMPILE OFF)
endif()
set(warmpool_precompiled_std <algorithm> <array> <charconv> <chrono> <cstdint> <cstring> <deque> <functional> <map>
  <memory> <optional> <span> <string> <string_view> <unordered_map> <utility> <variant> <vector>)

# Units of eight sources in all presets but dev (CMAKE_UNITY_BUILD): 2.4 times as fast as each alone with precompiled
# headers. So names that a source keeps to itself are not used twice in a folder; what each source includes, dev shows.
set(CMAKE_UNITY_BUILD_BATCH_SIZE 8)

set(WARMPOOL_SANITIZE "" CACHE STRING "empty, address (with undefined), thread or fuzz")
set_property(CACHE WARMPOOL_SANITIZE PROPERTY STRINGS "" address thread fuzz)
option(WARMPOOL_WERROR "Warnings are errors" ON)

# Every target of ours links this one; third-party headers never see it (they are SYSTEM).
add_library(warmpool_warnings INTERFACE)
target_compile_options(warmpool_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
  -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough
  $<$<BOOL:${WARMPOOL_WERROR}>:-Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 warns about its own std::string at -O2 (GCC bug 105651), and of members of std::variant and
  # std::optional that it cannot follow (GCC bug 105562); the sanitizers and the dev preset look there.
  target_compile_options(warmpool_warnings INTERFACE -Wno-restrict $<$<CONFIG:RelWithDebInfo>:-Wno-maybe-uninitialized>)
endif()
# Includes are written from the root of the repository: "pool/ids.hpp".
target_include_directories(warmpool_warnings INTERFACE ${PROJECT_SOURCE_DIR})

if(WARMPOOL_SANITIZE STREQUAL "")
  add_compile_options(-fstack-protector-strong -fstack-clash-protection)
  add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,--as-needed)
  # _FORTIFY_SOURCE needs an optimised build; the undefine avoids a clash where the compiler sets its own.
  add_compile_options($<$<CONFIG:Release,RelWithDebInfo>:-U_FORTIFY_SOURCE> $<$<CONFIG:Release,RelWithDebInfo>:-D_FORTIFY_SOURCE=2>)
  add_compile_options($<$<CONFIG:Debug>:-D_GLIBCXX_ASSERTIONS>)
else()
  if(WARMPOOL_SANITIZE STREQUAL "address")
    # vptr opens a pipe to look at memory: where descriptors are out it takes good objects for bad ones.
    set(sanitize -fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all)
  elseif(WARMPOOL_SANITIZE STREQUAL "thread")
    set(sanitize -fsanitize=thread)
    # The thread sanitizer does not know fences, g++ says so (Asio has one), and -Werror would end the build.
    add_compile_options(-Wno-tsan)
  elseif(WARMPOOL_SANITIZE STREQUAL "fuzz")
    if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
      message(FATAL_ERROR "WARMPOOL_SANITIZE=fuzz needs clang++ (libFuzzer); use: cmake --preset fuzz")
    endif()
    set(sanitize -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
  else()
    message(FATAL_ERROR "WARMPOOL_SANITIZE=${WARMPOOL_SANITIZE}: must be empty, address, thread or fuzz")
  endif()
  # Measured under address and undefined: -Og -g1 takes half of the time to compile that -O1 -g takes (the codec
  # 9.6 s for 24.9 s); what is checked is the same. clang's -Og is its -O1.
  set(CMAKE_CXX_FLAGS_DEBUG "-Og -g1")
  add_compile_options(${sanitize} -fno-omit-frame-pointer -D_GLIBCXX_ASSERTIONS)
  add_link_options(${sanitize})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Instrumented code confuses g++'s flow analysis: false alarms only under sanitizers.
    target_compile_options(warmpool_warnings INTERFACE -Wno-maybe-uninitialized)
  endif()
endif()
