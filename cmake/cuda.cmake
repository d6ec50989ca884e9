# The CUDA compiler out of NVIDIA's Python wheels, which `./gossamer setup cuda` installs into build/cuda-wheels, or the one that CUDACXX,
# CUDA_HOME or the path name. Defines GOSSAMER_CUDA_ROOT (include, lib) and the interface gossamer_cuda_flags.
file(GLOB wheels ${PROJECT_SOURCE_DIR}/build/cuda-wheels/lib/python3*/site-packages/nvidia/cu13)
if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  find_program(CMAKE_CUDA_COMPILER nvcc HINTS ${wheels}/bin $ENV{CUDA_HOME}/bin /usr/local/cuda/bin)
endif()
if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  message(FATAL_ERROR "There is no nvcc. ./gossamer setup cuda installs one (0.3 GB, into build/cuda-wheels).")
endif()
cmake_path(GET CMAKE_CUDA_COMPILER PARENT_PATH GOSSAMER_CUDA_ROOT)
cmake_path(GET GOSSAMER_CUDA_ROOT PARENT_PATH GOSSAMER_CUDA_ROOT)
if(wheels AND GOSSAMER_CUDA_ROOT STREQUAL wheels)
  set(CMAKE_CUDA_FLAGS "${CMAKE_CUDA_FLAGS} -L${GOSSAMER_CUDA_ROOT}/lib")  # nvcc looks in lib64, the wheel has lib
endif()
set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
# Real code for each kind of card: Ampere, Ada, Hopper, Blackwell; and one that all others translate for themselves.
set(CMAKE_CUDA_ARCHITECTURES 80-real 86-real 89-real 90a-real 100a-real 120a-real 80-virtual CACHE STRING "Cards to compile for")
if(CMAKE_CUDA_ARCHITECTURES MATCHES "(^|;)90(-|;|$)")
  message(FATAL_ERROR "Hopper's own instructions are code for 90a: say 90a-real where CMAKE_CUDA_ARCHITECTURES says 90.")
endif()
enable_language(CUDA)
# CMake 3.25 knows no C++20 of nvcc: it neither asks for it nor may insist on it.
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_STANDARD_REQUIRED OFF)

# NDEBUG: an assert in a kernel is a call.
add_library(gossamer_cuda_flags INTERFACE)
target_compile_options(gossamer_cuda_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20 --expt-relaxed-constexpr -DNDEBUG>)
target_include_directories(gossamer_cuda_flags SYSTEM INTERFACE ${GOSSAMER_CUDA_ROOT}/include)
