# The one place that looks at the processor: what is for one kind of it is in a file NAME_${GOSSAMER_CPU}.cc, and an ISA folder of
# kernels/cpu is compiled where it stands in GOSSAMER_ISAS.
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  set(GOSSAMER_CPU x86_64)
  set(GOSSAMER_ISAS avx2 avx512 avx512bf16 amx)
else()
  set(GOSSAMER_CPU generic)
  set(GOSSAMER_ISAS)
endif()

# Flags of each ISA folder of kernels/cpu. Files there include ops.h and intrinsics and keep helpers in anonymous namespaces,
# so that no inline function compiled for a newer machine is picked by the linker for everybody.
set(GOSSAMER_FLAGS_avx2 -mavx2 -mfma -mf16c -mbmi2)
set(GOSSAMER_FLAGS_avx512 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vbmi -mavx512vnni -mavx2 -mfma -mf16c -mbmi2)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12's own avx512fintrin.h builds "undefined" vectors that its flow analysis then reports.
  list(APPEND GOSSAMER_FLAGS_avx512 -Wno-uninitialized -Wno-maybe-uninitialized)
endif()
set(GOSSAMER_FLAGS_avx512bf16 ${GOSSAMER_FLAGS_avx512} -mavx512bf16)
set(GOSSAMER_FLAGS_amx ${GOSSAMER_FLAGS_avx512bf16})  # tiles are written in assembly
