# Flags of each ISA folder of kernels/cpu. Files there include ops.h and intrinsics and keep helpers in anonymous namespaces,
# so that no inline function compiled for a newer machine is picked by the linker for everybody.
set(GOSSAMER_FLAGS_avx2 -mavx2 -mfma -mf16c -mbmi2)
set(GOSSAMER_FLAGS_avx512 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vbmi -mavx512vnni -mavx2 -mfma -mf16c -mbmi2)
# Tiles are written in assembly: no flag beyond AVX-512's.
set(GOSSAMER_FLAGS_amx ${GOSSAMER_FLAGS_avx512})
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12's own avx512fintrin.h builds "undefined" vectors that its flow analysis then reports.
  list(APPEND GOSSAMER_FLAGS_amx -Wno-uninitialized -Wno-maybe-uninitialized)
  list(APPEND GOSSAMER_FLAGS_avx512 -Wno-uninitialized -Wno-maybe-uninitialized)
endif()
