# Third-party libraries: Debian packages only, installed by scripts/setup.sh.

set(hint "not found: run scripts/setup.sh")

find_package(Threads REQUIRED)
find_package(Boost 1.74 REQUIRED)  # headers only: Asio, Beast, Interprocess
# The package is libmsgpack-cxx-dev; its configuration file was renamed between versions.
find_package(msgpackc-cxx REQUIRED NAMES msgpack-cxx msgpackc-cxx msgpack)
find_package(spdlog REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(CLI11 REQUIRED)
find_package(SQLite3 3.37 REQUIRED)

find_library(XXHASH_LIBRARY xxhash)
find_path(XXHASH_INCLUDE_DIR xxhash.h)
if(NOT XXHASH_LIBRARY OR NOT XXHASH_INCLUDE_DIR)
  message(FATAL_ERROR "libxxhash ${hint}")
endif()
add_library(warmpool_xxhash INTERFACE)
target_link_libraries(warmpool_xxhash INTERFACE ${XXHASH_LIBRARY})
target_include_directories(warmpool_xxhash SYSTEM INTERFACE ${XXHASH_INCLUDE_DIR})

# msgpack's headers need Boost's, and Debian's target does not say so.
add_library(warmpool_msgpack INTERFACE)
target_link_libraries(warmpool_msgpack INTERFACE msgpackc-cxx Boost::headers)
