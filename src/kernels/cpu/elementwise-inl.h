// Part of one ISA's file: included inside its namespace, after exp-inl.h.
#pragma once

inline Vec swiglu_vector(Vec gate, Vec up, Vec limit) {
  const Vec g = min(limit, gate);
  const Vec u = max(sub(zero(), limit), min(limit, up));
  const Vec sigmoid_denominator = add(set1(1.0f), exp(mul(g, set1(-kSwigluAlpha))));
  return div(mul(add(u, set1(1.0f)), g), sigmoid_denominator);
}

void swiglu(const float* gate, const float* up, uint32_t n, float limit, float* out) {
  const Vec limits = set1(limit);
  uint32_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(out + i, swiglu_vector(load(gate + i), load(up + i), limits));
  if (i < n) store_first(out + i, swiglu_vector(load_first(gate + i, n - i), load_first(up + i, n - i), limits), n - i);
}

void rmsnorm(const float* x, const float* weight, float eps, uint32_t n, float* out) {
  Vec squares = zero();
  uint32_t i = 0;
  for (; i + kLanes <= n; i += kLanes) squares = fma(load(x + i), load(x + i), squares);
  if (i < n) squares = fma(load_first(x + i, n - i), load_first(x + i, n - i), squares);
  const Vec scale = set1(1.0f / __builtin_sqrtf(sum(squares) / static_cast<float>(n) + eps));
  for (i = 0; i + kLanes <= n; i += kLanes) store(out + i, mul(mul(load(x + i), scale), load(weight + i)));
  if (i < n) store_first(out + i, mul(mul(load_first(x + i, n - i), scale), load_first(weight + i, n - i)), n - i);
}

void add_weighted(const float* const* x, const float* weights, uint32_t num_x, uint32_t n, float* out) {
  uint32_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    Vec mixed = zero();
    for (uint32_t a = 0; a < num_x; ++a) mixed = fma(set1(weights[a]), load(x[a] + i), mixed);
    store(out + i, add(load(out + i), mixed));
  }
  if (i < n) {
    Vec mixed = zero();
    for (uint32_t a = 0; a < num_x; ++a) mixed = fma(set1(weights[a]), load_first(x[a] + i, n - i), mixed);
    store_first(out + i, add(load_first(out + i, n - i), mixed), n - i);
  }
}
