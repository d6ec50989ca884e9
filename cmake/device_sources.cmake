# What computes on a GPU: compiled by nvcc into the program where it is built for GPUs, else for the emulated device of
# the tests. Kernels are relative to src/kernels/cuda, the model's part to src/model.
set(GOSSAMER_DEVICE_KERNELS
  attention.cu
  choose.cu
  elementwise.cu
  experts.cu
  few_tokens.cu
  products.cu
  synthetic.cu)
set(GOSSAMER_DEVICE_PACKING
  pack_strips.cc)
set(GOSSAMER_DEVICE_MODEL
  device_forward.cc
  device_host_experts.cc
  device_rates.cc
  device_unembed.cc
  device_weights.cc
  synthetic_device_weights.cc)
