# Functions that make targets of a folder's sources, and cope with a folder that has none yet.

# warmpool_sources(<out> [RECURSE] [EXCLUDE <regex>...]): the .cpp files here whose path (relative to this
# folder) matches no regex. Looked up again at every build.
function(warmpool_sources out)
  cmake_parse_arguments(arg "RECURSE" "" "EXCLUDE" ${ARGN})
  if(arg_RECURSE)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} *.cpp)
  else()
    file(GLOB sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} *.cpp)
  endif()
  foreach(regex IN LISTS arg_EXCLUDE)
    list(FILTER sources EXCLUDE REGEX "${regex}")
  endforeach()
  if(WARMPOOL_SANITIZE STREQUAL "fuzz")
    # clang 14 cannot compile Asio's coroutines, and nothing that is fuzzed needs them.
    warmpool_without_asio(sources ${sources})
  endif()
  set(${out} ${sources} PARENT_SCOPE)
endfunction()

# Leaves out the sources that include Asio, directly or through a header of ours.
function(warmpool_without_asio out)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
    ${PROJECT_SOURCE_DIR}/ipc/*.hpp ${PROJECT_SOURCE_DIR}/daemon/*.hpp)
  set(tainted "boost/(asio|beast)")
  set(grown TRUE)
  while(grown)  # until no further header includes a tainted one
    set(grown FALSE)
    foreach(header IN LISTS headers)
      file(STRINGS ${PROJECT_SOURCE_DIR}/${header} hit REGEX "^#include .(${tainted})" LIMIT_COUNT 1)
      if(hit)
        list(REMOVE_ITEM headers ${header})
        string(APPEND tainted "|${header}")
        set(grown TRUE)
      endif()
    endforeach()
  endwhile()
  set(kept)
  foreach(source IN LISTS ARGN)
    file(STRINGS ${CMAKE_CURRENT_SOURCE_DIR}/${source} hit REGEX "^#include .(${tainted})" LIMIT_COUNT 1)
    if(NOT hit)
      list(APPEND kept ${source})
    endif()
  endforeach()
  set(${out} ${kept} PARENT_SCOPE)
endfunction()

# warmpool_precompile(<target> [<header>...]): the standard headers that everything includes, and these.
function(warmpool_precompile target)
  if(WARMPOOL_PRECOMPILE)
    target_precompile_headers(${target} PRIVATE ${warmpool_precompiled_std} ${ARGN})
  endif()
endfunction()

# warmpool_library(<name> SOURCES <file>... LINKS <library>...): static, or INTERFACE while it has no sources.
function(warmpool_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS" ${ARGN})
  if(arg_SOURCES)
    add_library(${name} STATIC ${arg_SOURCES})
    target_link_libraries(${name} PUBLIC warmpool_warnings ${arg_LINKS})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE warmpool_warnings ${arg_LINKS})
  endif()
endfunction()

# warmpool_each_alone(<target>): each source is a unit of its own in the release build, whose objects others take one by one: the
# campaigns put failpoints around calls between sources, the mutants of the core link one source anew.
function(warmpool_each_alone target)
  if(NOT WARMPOOL_SANITIZE)
    set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)
  endif()
endfunction()

# warmpool_executable(<name> SOURCES <file>... LINKS <library>...): made only when it has sources.
function(warmpool_executable name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS" ${ARGN})
  if(arg_SOURCES)
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE warmpool_warnings ${arg_LINKS})
    target_link_options(${name} PRIVATE -pie)
  endif()
endfunction()

# warmpool_plugin(<name> <source>): <name>.so beside the programs, for warmpool-worker --plugin. Links nothing of ours.
function(warmpool_plugin name source)
  add_library(${name} MODULE ${source})
  target_link_libraries(${name} PRIVATE warmpool_warnings)
  set_target_properties(${name} PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
endfunction()

# warmpool_programs(<prefix> LINKS <library>...): one executable <prefix><name> for each <name>_main.cpp here.
function(warmpool_programs prefix)
  cmake_parse_arguments(arg "" "" "LINKS" ${ARGN})
  file(GLOB mains CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} *_main.cpp)
  foreach(main IN LISTS mains)
    string(REGEX REPLACE "_main\\.cpp$" "" name ${main})
    string(REPLACE "_" "-" name ${name})
    warmpool_executable(${prefix}${name} SOURCES ${main} LINKS ${arg_LINKS})
  endforeach()
endfunction()
