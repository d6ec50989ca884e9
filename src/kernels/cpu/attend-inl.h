// Part of one ISA's file: included inside its namespace, after attend_chunk-inl.h.
#pragma once

bool takes_attend(uint32_t head_dim) {
  return head_dim == 64 || head_dim == 32;
}

void attend_chunk(const AttendArgs& args, const AttentionState& state) {
  switch (args.dtype) {
    case KvDtype::kF32:
      return attend_chunk_of<FloatProducts<KvF32>>(args, state);
    case KvDtype::kBf16:
      return attend_chunk_of<FloatProducts<KvBf16>>(args, state);
    case KvDtype::kInt8:
      return attend_chunk_of<FloatProducts<KvInt8>>(args, state);
  }
}

void merge_attention(uint32_t group, uint32_t head_dim, const AttentionState& chunk, const AttentionState& state) {
  for (uint32_t h = 0; h < group; ++h) {
    const float largest = chunk.maximum[h] > state.maximum[h] ? chunk.maximum[h] : state.maximum[h];
    const Vec old_scale = exp(set1(state.maximum[h] - largest)), new_scale = exp(set1(chunk.maximum[h] - largest));
    float old_factor[kLanes], new_factor[kLanes];
    store(old_factor, old_scale);
    store(new_factor, new_scale);
    state.maximum[h] = largest;
    state.sum[h] = state.sum[h] * old_factor[0] + chunk.sum[h] * new_factor[0];
    float* mix = state.mix + static_cast<uint64_t>(h) * head_dim;
    const float* more = chunk.mix + static_cast<uint64_t>(h) * head_dim;
    for (uint32_t i = 0; i < head_dim; i += kLanes)
      store(mix + i, fma(load(more + i), new_scale, mul(load(mix + i), old_scale)));
  }
}
