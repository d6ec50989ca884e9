# gossamer_room(NAME SOURCES... [DEPENDS rooms...] [LIBRARIES libs...]): one room of src/ as a static library gossamer_NAME.
# DEPENDS is the include direction of src/README.md: a room links (and so may include) only what it names.
function(gossamer_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;DEPENDS;LIBRARIES" ${ARGN})
  add_library(gossamer_${name} STATIC ${ROOM_SOURCES})
  target_include_directories(gossamer_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  foreach(room IN LISTS ROOM_DEPENDS)
    target_link_libraries(gossamer_${name} PUBLIC gossamer_${room})
  endforeach()
  target_link_libraries(gossamer_${name} PUBLIC ${ROOM_LIBRARIES})
  if(GOSSAMER_BUILD_FUZZERS)
    target_compile_options(gossamer_${name} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
  gossamer_reuse_headers(gossamer_${name} gossamer_precompiled)
endfunction()

# gossamer_test(NAME SOURCES... ROOMS rooms...): one GoogleTest program, one ctest entry.
# Tests may read ../shared where it is there (GOSSAMER_SHARED_DIR) and skip with a word where it is not.
function(gossamer_test name)
  cmake_parse_arguments(TEST "" "" "SOURCES;ROOMS;LIBRARIES" ${ARGN})
  add_executable(${name} ${TEST_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  foreach(room IN LISTS TEST_ROOMS)
    target_link_libraries(${name} PRIVATE gossamer_${room})
  endforeach()
  target_link_libraries(${name} PRIVATE GTest::gmock GTest::gtest_main ${TEST_LIBRARIES})
  target_compile_definitions(${name} PRIVATE
    GOSSAMER_SOURCE_DIR="${PROJECT_SOURCE_DIR}" GOSSAMER_SHARED_DIR="${PROJECT_SOURCE_DIR}/../shared")
  gossamer_reuse_headers(${name} gossamer_precompiled_tests)
  add_test(NAME ${name} COMMAND ${name})
endfunction()

# gossamer_fuzzer(NAME SOURCES... ROOMS rooms...): one libFuzzer program, fuzz_NAME; `fuzzers` is all of them.
function(gossamer_fuzzer name)
  cmake_parse_arguments(FUZZ "" "" "SOURCES;ROOMS" ${ARGN})
  add_executable(fuzz_${name} ${FUZZ_SOURCES})
  foreach(room IN LISTS FUZZ_ROOMS)
    target_link_libraries(fuzz_${name} PRIVATE gossamer_${room})
  endforeach()
  target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer-no-link)
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  gossamer_reuse_headers(fuzz_${name} gossamer_precompiled)
  add_dependencies(fuzzers fuzz_${name})
endfunction()
