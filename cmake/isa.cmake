# Flags of each ISA folder of kernels/cpu. Files there include ops.h and intrinsics and keep helpers in anonymous namespaces,
# so that no inline function compiled for a newer machine is picked by the linker for everybody.
set(GOSSAMER_FLAGS_avx2 -mavx2 -mfma -mf16c -mbmi2)
set(GOSSAMER_FLAGS_avx512 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vbmi -mavx2 -mfma -mf16c -mbmi2)
