#pragma once
/// Where the numbers of a head stand in a page on the device: in the order in which tensor cores take them. 16 bytes
/// are what a lane holds of one left operand of mma.m16n8k16 (of two, in int8), lane after lane, so that attention
/// reads its operands as they are, from the cache or from shared memory. Who holds what is in strips.h.

#include "kernels/kv_layout.h"

namespace gossamer::kernels::cuda {

namespace kv_order {
/// Element `pair_half` of register `reg` of a lane, in an operand whose instructions are counted.
constexpr uint32_t element(KvDtype dtype, uint32_t instruction, uint32_t lane, uint32_t reg, uint32_t pair_half) {
  const uint32_t at = 2 * reg + pair_half;
  return dtype == KvDtype::kInt8 ? (instruction / 2 * 32 + lane) * 16 + instruction % 2 * 8 + at
                                 : (instruction * 32 + lane) * 8 + at;
}
}  // namespace kv_order

/// Of the token at `slot`, number `dim` of its key, in elements from the head's first. Rows of an operand are 16 slots,
/// its columns dimensions: four instructions one after the other have the 16 of a lane's quad.
constexpr uint32_t key_at(KvDtype dtype, uint32_t slot, uint32_t dim) {
  const uint32_t lane = slot % 8 * 4 + dim / 16, reg = dim % 4 / 2 * 2 + slot % 16 / 8;
  return kv_order::element(dtype, slot / 16 * 4 + dim % 16 / 4, lane, reg, dim % 2);
}

/// Likewise of its value: rows are 16 dimensions, columns 16 slots.
constexpr uint32_t value_at(KvDtype dtype, uint32_t slot, uint32_t dim) {
  const uint32_t lane = dim % 8 * 4 + slot % 8 / 2, reg = slot % 16 / 8 * 2 + dim % 16 / 8;
  return kv_order::element(dtype, dim / 16 * 2 + slot / 16, lane, reg, slot % 2);
}

}  // namespace gossamer::kernels::cuda
