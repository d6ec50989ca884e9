# GOSSAMER_PRECOMPILE: the headers of libraries that most files include are compiled once, which saves a fifth to a third of the
# time: for whoever waits for a first answer, and for the sanitizers. The presets of developers (dev, test) go without, so that a
# file which forgets an include is noticed.
option(GOSSAMER_PRECOMPILE "Precompile the headers that most files include" OFF)

# How tests are compiled beside what they test: the sanitizers' presets say -O0, since what they have of templates takes clang
# two to four times as long with -O1, and most of them spend no time of their own.
set(GOSSAMER_TEST_OPTIONS "" CACHE STRING "Compiler options for tests that do not compute much themselves")

# gossamer_precompiled_headers(NAME HEADERS... LIBRARIES libs...): a target whose headers others reuse.
function(gossamer_precompiled_headers name)
  cmake_parse_arguments(PRECOMPILED "" "" "HEADERS;LIBRARIES" ${ARGN})
  set(source ${PROJECT_BINARY_DIR}/${name}.cc)
  file(CONFIGURE OUTPUT ${source} CONTENT "// No code: what is precompiled belongs to some target.\n")
  add_library(${name} STATIC ${source})
  target_link_libraries(${name} PRIVATE ${PRECOMPILED_LIBRARIES})
  target_precompile_headers(${name} PRIVATE ${PRECOMPILED_HEADERS})
endfunction()

# gossamer_compile_as_test(TARGET): as the tests are that compute little.
function(gossamer_compile_as_test target)
  target_compile_options(${target} PRIVATE ${GOSSAMER_TEST_OPTIONS})
  gossamer_reuse_headers(${target} gossamer_precompiled_tests)
endfunction()

# gossamer_reuse_headers(TARGET NAME)
function(gossamer_reuse_headers target name)
  if(GOSSAMER_PRECOMPILE)
    target_precompile_headers(${target} REUSE_FROM ${name})
  endif()
endfunction()

if(GOSSAMER_PRECOMPILE)
  set(headers <algorithm> <atomic> <chrono> <condition_variable> <filesystem> <fstream> <functional> <map> <memory> <mutex> <optional> <random>
    <span> <string> <string_view> <thread> <unordered_map> <vector> <boost/json.hpp> <fmt/format.h>)
  gossamer_precompiled_headers(gossamer_precompiled HEADERS ${headers} LIBRARIES fmt::fmt Threads::Threads)
  if(GOSSAMER_BUILD_FUZZERS)  # as the rooms that reuse it
    target_compile_options(gossamer_precompiled PRIVATE -fsanitize=fuzzer-no-link)
  endif()
  if(GOSSAMER_BUILD_TESTS)
    find_package(GTest REQUIRED)
    foreach(name gossamer_precompiled_tests gossamer_precompiled_computing_tests)
      gossamer_precompiled_headers(${name} HEADERS ${headers} <gmock/gmock.h> <gtest/gtest.h>
        LIBRARIES fmt::fmt Threads::Threads GTest::gmock)
    endforeach()
    target_compile_options(gossamer_precompiled_tests PRIVATE ${GOSSAMER_TEST_OPTIONS})
  endif()
endif()
