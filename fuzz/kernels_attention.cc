/// Attention of every instruction set of this machine against the plain loops, and each token's bits alone against
/// those in a row of many.

#include "base/check.h"
#include "base/dtype.h"
#include "case_reader.h"
#include "kernels/machine_backends.h"
#include "kernels/made_up_weights.h"
#include "kernels/paged_kv.h"
#include "kernels/ref/ref_backend.h"

namespace gossamer {
namespace {

using namespace testing;

struct Shape {
  uint32_t heads, kv_heads, head_dim, positions, window, first;  // queries at first .. positions - 1
  KvDtype dtype;
  uint32_t q_width() const { return heads * head_dim; }
  uint32_t kv_width() const { return kv_heads * head_dim; }
};

std::vector<float> attend(Backend& backend, const Shape& s, const CacheRow& row, const float* q, const float* sinks,
                          const KvLayout& layout) {
  std::vector<float> out(size_t{row.length} * s.q_width(), NAN);
  backend.attention({q, s.q_width(), {&row, 1}, layout, sinks, s.heads, s.window, 0.125f, out.data()});
  return out;
}

double largest_of(const std::vector<float>& x) {
  double largest = 0;
  for (float value : x) largest = std::max<double>(largest, std::fabs(value));
  return largest;
}

}  // namespace
}  // namespace gossamer

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gossamer;
  using namespace gossamer::testing;
  static ThreadPool threads(1);
  CaseReader choose(data, size);
  Shape s{};
  s.kv_heads = choose.number(1, 3);
  s.heads = s.kv_heads * choose.number(1, 18);
  s.head_dim = choose.one_of({64u, 32u, 48u});
  s.positions = choose.number(1, 600);
  s.window = choose.flip() ? choose.number(1, 200) : 0;
  s.first = s.positions - choose.number(1, std::min(s.positions, 12u));
  s.dtype = choose.one_of({KvDtype::kF32, KvDtype::kBf16, KvDtype::kInt8});
  const Precision precision = choose.one_of({Precision::kF32, Precision::kExact, Precision::kDefault});
  std::mt19937 rng(choose.number(0, 0xffff));

  PagedKv kv({s.dtype, s.kv_heads, s.head_dim}, s.positions);
  const auto k = random_floats(size_t{s.positions} * s.kv_width(), rng), v = random_floats(k.size(), rng);
  kv.write(k, v);
  const uint32_t tokens = s.positions - s.first;
  auto q = random_floats(size_t{tokens} * s.q_width(), rng);
  for (float& value : q) value = bf16_to_f32(f32_to_bf16(value));  // what rounds queries finds them rounded
  const auto sinks = random_floats(s.heads, rng, 2.f);

  RefBackend ref;
  const auto want = attend(ref, s, kv.row(s.first, tokens), q.data(), sinks.data(), kv.layout());
  // A score is off by its sum's rounding, and its weight by as much; weights may be rounded to bf16; the mix adds up.
  const double largest_score = s.head_dim * largest_of(q) * largest_of(k) * 0.125;
  const double tolerance = 1.01 * largest_of(v) *
                           (sum_tolerance(s.head_dim, largest_score) + sum_tolerance(8ull * s.positions, 1.0) +
                            (precision == Precision::kF32 ? 0 : 0x1p-8));
  for (const auto& backend : fast_backends(threads, precision)) {
    const auto got = attend(*backend, s, kv.row(s.first, tokens), q.data(), sinks.data(), kv.layout());
    for (size_t i = 0; i < want.size(); ++i) GOS_CHECK(std::fabs(static_cast<double>(got[i]) - want[i]) <= tolerance);
    for (uint32_t t = 0; t < tokens; ++t) {
      const auto alone =
          attend(*backend, s, kv.row(s.first + t, 1), q.data() + size_t{t} * s.q_width(), sinks.data(), kv.layout());
      GOS_CHECK(std::memcmp(alone.data(), got.data() + size_t{t} * s.q_width(), alone.size() * sizeof(float)) == 0);
    }
  }
  return 0;
}
