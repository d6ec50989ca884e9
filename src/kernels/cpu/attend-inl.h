// Part of one ISA's file: included inside its namespace, after elementwise-inl.h.
//
// The query heads of a group share each row of K and V, so a row is read from memory once. Two passes: all scores, then
// softmax and the mix of values; the order of the sums depends on the visible positions alone, so a token has the same
// bits in any batch.
#pragma once

/// Scores of kHeads query heads against every visible position.
template <uint32_t kVectors, uint32_t kHeads>
void score(const AttendArgs& args, uint32_t head) {
  Vec q[kHeads][kVectors];
  for (uint32_t h = 0; h < kHeads; ++h)
    for (uint32_t i = 0; i < kVectors; ++i) q[h][i] = load(args.q + (head + h) * args.head_dim + i * kLanes);
  for (uint32_t p = 0; p < args.num_positions; ++p) {
    const float* k = args.k + p * args.kv_stride;
    Vec sums[kHeads];
    for (uint32_t h = 0; h < kHeads; ++h) sums[h] = zero();
    for (uint32_t i = 0; i < kVectors; ++i) {
      const Vec key = load(k + i * kLanes);
      for (uint32_t h = 0; h < kHeads; ++h) sums[h] = fma(q[h][i], key, sums[h]);
    }
    for (uint32_t h = 0; h < kHeads; ++h)
      args.scores[static_cast<uint64_t>(head + h) * args.num_positions + p] = sum(sums[h]) * args.scale;
  }
}

/// Scores of one head to weights, not yet divided by their sum, which is returned with the sink's part in it.
inline float softmax_terms(float* scores, uint32_t n, float sink) {
  float largest = sink;
  for (uint32_t p = 0; p < n; ++p) largest = scores[p] > largest ? scores[p] : largest;
  const Vec shift = set1(largest);
  Vec sums = zero();
  uint32_t p = 0;
  for (; p + kLanes <= n; p += kLanes) {
    const Vec term = exp(sub(load(scores + p), shift));
    store(scores + p, term);
    sums = add(sums, term);
  }
  float total = sum(sums);
  if (p < n) {
    store_first(scores + p, exp(sub(load_first(scores + p, n - p), shift)), n - p);
    total += sum(load_first(scores + p, n - p));
  }
  float sink_term[kLanes];
  store(sink_term, exp(set1(sink - largest)));
  return total + sink_term[0];
}

/// out = sum of weight * value over the positions, for kHeads heads, divided by `denominator`.
template <uint32_t kVectors, uint32_t kHeads>
void mix(const AttendArgs& args, uint32_t head, const float* denominator) {
  Vec sums[kHeads][kVectors];
  for (auto& line : sums)
    for (Vec& s : line) s = zero();
  for (uint32_t p = 0; p < args.num_positions; ++p) {
    const float* v = args.v + p * args.kv_stride;
    Vec value[kVectors];
    for (uint32_t i = 0; i < kVectors; ++i) value[i] = load(v + i * kLanes);
    for (uint32_t h = 0; h < kHeads; ++h) {
      const Vec weight = set1(args.scores[static_cast<uint64_t>(head + h) * args.num_positions + p]);
      for (uint32_t i = 0; i < kVectors; ++i) sums[h][i] = fma(weight, value[i], sums[h][i]);
    }
  }
  for (uint32_t h = 0; h < kHeads; ++h)
    for (uint32_t i = 0; i < kVectors; ++i)
      store(args.out + (head + h) * args.head_dim + i * kLanes, div(sums[h][i], set1(denominator[h])));
}

template <uint32_t kVectors, uint32_t kHeads>
void attend_heads(const AttendArgs& args, uint32_t head) {
  score<kVectors, kHeads>(args, head);
  float denominator[kHeads];
  for (uint32_t h = 0; h < kHeads; ++h)
    denominator[h] = softmax_terms(args.scores + static_cast<uint64_t>(head + h) * args.num_positions,
                                   args.num_positions, args.sinks[head + h]);
  mix<kVectors, kHeads>(args, head, denominator);
}

template <uint32_t kVectors>
void attend_with(const AttendArgs& args) {
  uint32_t head = 0;
  for (; head + kHeadsAtOnce <= args.group; head += kHeadsAtOnce) attend_heads<kVectors, kHeadsAtOnce>(args, head);
  for (; head < args.group; ++head) attend_heads<kVectors, 1>(args, head);
}

bool takes_attend(uint32_t head_dim) {
  return head_dim == 64 || head_dim == 32;
}

void attend(const AttendArgs& args) {
  if (args.head_dim == 64) return attend_with<64 / kLanes>(args);
  attend_with<32 / kLanes>(args);
}
