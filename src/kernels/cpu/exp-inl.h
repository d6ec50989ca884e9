// Part of one ISA's file: included inside its namespace, after its simd.h.
#pragma once

/// e^x within 2 ulp, x clamped to [-87.3, 88]; NaN stays NaN (minps gives its second operand then). Cody-Waite
/// reduction by ln 2, then a polynomial of degree 6 on [-0.35, 0.35] (coefficients of the Taylor series, error of the
/// cut 1e-8 relative).
inline Vec exp(Vec x) {
  x = max(set1(-87.3f), min(set1(88.0f), x));
  const Vec n = round(mul(x, set1(1.44269504f)));
  const Vec r = fma(n, set1(2.12194440e-4f), fma(n, set1(-0.693359375f), x));
  Vec p = set1(1.0f / 720);
  p = fma(p, r, set1(1.0f / 120));
  p = fma(p, r, set1(1.0f / 24));
  p = fma(p, r, set1(1.0f / 6));
  p = fma(p, r, set1(0.5f));
  p = fma(p, r, set1(1.0f));
  p = fma(p, r, set1(1.0f));
  return scale_by_power(p, n);
}
