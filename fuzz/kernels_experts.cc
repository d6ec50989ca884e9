/// Layers of experts of every instruction set of this machine against the plain loops: any routing, empty experts,
/// gate, up and down stored in any formats; each token's bits alone against those in a batch, and packed weights
/// against those in the file's order.

#include "base/check.h"
#include "case_reader.h"
#include "kernels/machine_backends.h"
#include "kernels/made_up_experts.h"

namespace gossamer {
namespace {

using namespace testing;

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

Format format_of(CaseReader& choose) {
  return kFormats[choose.number(0, std::size(kFormats) - 1)];
}

}  // namespace
}  // namespace gossamer

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gossamer;
  using namespace gossamer::testing;
  static ThreadPool threads(1);
  CaseReader choose(data, size);
  const Precision precision = choose.one_of({Precision::kDefault, Precision::kExact, Precision::kF32});
  ExpertsCase c{};
  c.gate = format_of(choose);
  c.up = choose.flip() ? format_of(choose) : c.gate;
  c.down = choose.flip() ? format_of(choose) : c.gate;
  c.hidden = 32 * choose.number(1, 6);
  c.width = 32 * choose.number(1, 6);
  c.experts = choose.number(2, 9);
  c.active = choose.number(1, std::min(c.experts - 1, 5u));
  c.tokens = choose.number(1, 40);
  c.routing = choose.one_of({Routing::kRandom, Routing::kAllToOne, Routing::kLastExpertEmpty});
  const float size_of_x = std::ldexp(1.f, static_cast<int>(choose.number(0, 16)) - 10);
  std::mt19937 rng(choose.number(0, 0xffff));
  const ExpertsLayer layer(c, rng, size_of_x);

  std::vector<uint32_t> tokens(c.tokens);
  for (uint32_t t = 0; t < c.tokens; ++t) tokens[t] = t;
  RefBackend ref;
  const auto want = layer.run(ref, 0, c.tokens);
  for (const auto& backend : fast_backends(threads, precision)) {
    const auto got = layer.run(*backend, 0, c.tokens);
    const auto tolerance = experts_tolerance(layer, tokens, *backend, precision);
    for (size_t i = 0; i < want.size(); ++i)
      GOS_CHECK(std::fabs(static_cast<double>(got[i]) - want[i]) <= tolerance[i]);

    const PackedExperts packed(*backend, layer);
    GOS_CHECK(same_bits(layer.run(*backend, packed.args, 0, c.tokens), got));
    if (precision == Precision::kDefault) continue;
    for (uint32_t t = 0; t < c.tokens; ++t)
      GOS_CHECK(same_bits(layer.run(*backend, t, 1), std::span(got).subspan(size_t{t} * c.hidden, c.hidden)));
  }
  return 0;
}
