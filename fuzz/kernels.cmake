# What they compare with, and how far a kernel may be from it, is the tests'.
foreach(op products attention experts unembed)
  gossamer_fuzzer(kernels_${op} SOURCES kernels_${op}.cc ROOMS kernels)
  target_link_libraries(fuzz_kernels_${op} PRIVATE gossamer_emulated_amx)
  target_include_directories(fuzz_kernels_${op} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
endforeach()
