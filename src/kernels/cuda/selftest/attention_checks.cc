/// Rotation, the cache and attention, against double over what the cache really holds.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/cuda/kv_order.h"
#include "kernels/cuda/selftest/check.h"
#include "kernels/cuda/selftest/tolerances.h"
#include "kernels/kv_layout.h"

namespace gossamer::kernels::cuda {
namespace {

constexpr uint32_t kHeadDim = 64;
constexpr uint32_t kChunkTokens = 256;

struct Heads {
  uint32_t query, kv;
};

/// Sequences whose keys and values are in the cache, in pages that lie anywhere.
struct Cached {
  Heads heads;
  KvLayout layout;
  std::vector<uint32_t> lengths;
  std::vector<uint32_t> table_begins, pages;  // of the sequences
  CacheOp cache;
  std::vector<float> qkv;  // [all tokens, (H + 2G) * 64]
  uint16_t* q;             // [all tokens, H * 64], of the device
  std::vector<std::byte> memory;

  uint32_t first_token(uint32_t sequence) const {
    return std::accumulate(lengths.begin(), lengths.begin() + sequence, 0u);
  }
};

double angle_of(uint32_t position, uint32_t i) {
  return static_cast<double>(position) * (i + 1) / 1000;
}

/// Tokens of sequences: where they are.
BatchPlaces upload_places(Check& check, const Cached& of, const std::vector<uint32_t>& sequences,
                          const std::vector<uint32_t>& positions) {
  std::vector<uint32_t> begins;
  for (const uint32_t sequence : sequences) begins.push_back(of.table_begins[sequence]);
  return {check.upload(positions), check.upload(begins), check.upload(of.pages)};
}

Cached store(Check& check, const Heads& heads, KvDtype dtype, std::vector<uint32_t> lengths) {
  Cached out{heads, {dtype, heads.kv, kHeadDim}, std::move(lengths), {}, {}, {}, {}, nullptr, {}};
  std::vector<uint32_t> sequences, positions;
  for (uint32_t s = 0; s < out.lengths.size(); ++s) {
    out.table_begins.push_back(static_cast<uint32_t>(out.pages.size()));
    out.pages.resize(out.pages.size() + (out.lengths[s] + kKvBlockTokens - 1) / kKvBlockTokens);
    for (uint32_t p = 0; p < out.lengths[s]; ++p) {
      sequences.push_back(s);
      positions.push_back(p);
    }
  }
  std::iota(out.pages.begin(), out.pages.end(), 0u);
  std::shuffle(out.pages.begin(), out.pages.end(), check.rng());
  const auto num_tokens = static_cast<uint32_t>(positions.size());
  const uint32_t longest = *std::ranges::max_element(out.lengths);
  std::vector<float> cos(size_t{longest} * kHeadDim / 2), sin(cos.size());
  for (uint32_t i = 0; i < cos.size(); ++i) {
    cos[i] = static_cast<float>(std::cos(angle_of(i / 32, i % 32)));
    sin[i] = static_cast<float>(std::sin(angle_of(i / 32, i % 32)));
  }
  out.qkv = random_floats(size_t{num_tokens} * (heads.query + 2 * heads.kv) * kHeadDim, check.rng());
  const size_t cache_bytes = out.pages.size() * out.layout.block_bytes();
  out.cache = {check.make<std::byte>(cache_bytes), out.layout.block_bytes(), dtype, heads.kv};
  out.q = check.make<uint16_t>(size_t{num_tokens} * heads.query * kHeadDim);
  RopeStoreOp args{};
  args.qkv = check.upload(out.qkv);
  args.num_tokens = num_tokens;
  args.num_heads = heads.query;
  args.places = upload_places(check, out, sequences, positions);
  args.cos = check.upload(cos);
  args.sin = check.upload(sin);
  args.cache = out.cache;
  args.q = out.q;
  rope_store(args, check.stream());
  out.memory = check.download(out.cache.memory, cache_bytes);
  return out;
}

/// Keys or values of a position and KV head, as attention reads them.
std::vector<float> read(const Cached& of, uint32_t sequence, uint32_t position, uint32_t head, bool values) {
  const uint32_t slot = position % kKvBlockTokens;
  const std::byte* block =
      of.memory.data() + of.pages[of.table_begins[sequence] + position / kKvBlockTokens] * of.layout.block_bytes();
  const std::byte* numbers = block + (values ? of.layout.values(head) : of.layout.keys(head));
  const auto bf16_at = [](const std::byte* at) {
    uint16_t bits;
    std::memcpy(&bits, at, 2);
    return bf16_to_f32(bits);
  };
  const bool int8 = of.layout.dtype == KvDtype::kInt8;
  const float scale =
      int8 ? bf16_at(block + (values ? of.layout.value_scales(head) : of.layout.key_scales(head)) + 2 * slot) : 1;
  std::vector<float> out(kHeadDim);
  for (uint32_t i = 0; i < kHeadDim; ++i) {
    const uint32_t at = values ? value_at(of.layout.dtype, slot, i) : key_at(of.layout.dtype, slot, i);
    out[i] = int8 ? scale * static_cast<float>(static_cast<int8_t>(numbers[at])) : bf16_at(numbers + 2 * at);
  }
  return out;
}

/// 64 numbers of a token, rotated where they are none of a value; and what each may be off before it is rounded.
struct Turned {
  double values[kHeadDim], errors[kHeadDim], largest = 0;
};
Turned turn(const float* x, uint32_t position, bool is_value) {
  Turned out;
  for (uint32_t i = 0; i < kHeadDim / 2; ++i) {
    const double c = is_value ? 1 : std::cos(angle_of(position, i)), s = is_value ? 0 : std::sin(angle_of(position, i));
    const double a = x[i], b = x[i + kHeadDim / 2];
    out.values[i] = a * c - b * s;
    out.values[i + kHeadDim / 2] = b * c + a * s;
    // Cosine and sine are floats; two products and a sum.
    const double error = is_value ? 0 : 4 * kF32Rounding * (std::fabs(a) + std::fabs(b));
    out.errors[i] = out.errors[i + kHeadDim / 2] = error;
  }
  for (const double value : out.values) out.largest = std::max(out.largest, std::fabs(value));
  return out;
}

/// Queries, keys and values of all tokens.
void compare_stored(Check& check, const Cached& of) {
  const auto [num_heads, kv_heads] = of.heads;
  const uint32_t all_heads = num_heads + 2 * kv_heads;
  const auto q = check.download(of.q, of.qkv.size() / all_heads * num_heads);
  for (uint32_t s = 0; s < of.lengths.size(); ++s)
    for (uint32_t p = 0; p < of.lengths[s]; ++p)
      for (uint32_t head = 0; head < all_heads; ++head) {
        const uint32_t token = of.first_token(s) + p;
        const bool is_query = head < num_heads, is_value = head >= num_heads + kv_heads;
        const Turned want = turn(&of.qkv[(size_t{token} * all_heads + head) * kHeadDim], p, is_value);
        std::vector<float> got(kHeadDim);
        if (is_query)
          for (uint32_t i = 0; i < kHeadDim; ++i)
            got[i] = bf16_to_f32(q[(size_t{token} * num_heads + head) * kHeadDim + i]);
        else
          got = read(of, s, p, (head - num_heads) % kv_heads, is_value);
        const bool int8 = !is_query && of.layout.dtype == KvDtype::kInt8;
        for (uint32_t i = 0; i < kHeadDim; ++i) {
          // In int8 half of a step, and the step is the largest number / 127, rounded to bf16: 127.5 of them at most,
          // so that nothing is cut by more than half of one.
          const double step = want.largest / 127 * (1 + kBf16Rounding);
          const double allowed = int8
                                     ? step * (0.5 + 127 * 4 * kF32Rounding) + want.errors[i]
                                     : std::fabs(want.values[i]) * kBf16Rounding + want.errors[i] * (1 + kBf16Rounding);
          check.near(got[i], want.values[i], allowed, [&] {
            return fmt::format("number {} of head {} at position {} in {}", i, head, p,
                               is_query ? "the queries" : kv_dtype_name(of.layout.dtype));
          });
        }
      }
}

std::vector<Heads> head_cases(const Check& check) {
  return check.quick() ? std::vector<Heads>{{8, 1}, {6, 2}} : std::vector<Heads>{{8, 1}, {6, 2}, {64, 8}};
}

void rotation_and_cache(Check& check, KvDtype dtype) {
  for (const Heads& heads : head_cases(check)) {
    compare_stored(check, store(check, heads, dtype,
                                check.quick() ? std::vector<uint32_t>{40, 33} : std::vector<uint32_t>{40, 33, 400}));
    check.free_memory();
  }
}

/// Tokens that attend, of any sequence and position.
struct Lookers {
  std::vector<uint32_t> sequences, positions;
};
/// The edges of pages and of chunks, and the ends of both sequences.
Lookers lookers_of(const Cached& of) {
  Lookers out;
  for (uint32_t s = 0; s < of.lengths.size(); ++s)
    for (const uint32_t p : {0u, 1u, 31u, 32u, 39u, 40u, 127u, 128u, 200u, 255u, 256u, 257u, 511u, 512u, 1000u, 2047u})
      if (p < of.lengths[s]) {
        out.sequences.push_back(s);
        out.positions.push_back(p);
      }
  return out;
}

struct Attending {
  std::vector<float> sinks;
  uint32_t window;
  bool split, to_f16;
};
/// [lookers, H * 64] bits
std::vector<uint16_t> compute(Check& check, const Cached& of, const Lookers& lookers, const Attending& how) {
  const uint32_t width = of.heads.query * kHeadDim;
  const auto num_tokens = static_cast<uint32_t>(lookers.positions.size());
  const auto all_q = check.download(of.q, of.qkv.size() / (of.heads.query + 2 * of.heads.kv) * of.heads.query);
  std::vector<uint16_t> q;
  for (uint32_t t = 0; t < num_tokens; ++t) {
    const size_t token = of.first_token(lookers.sequences[t]) + lookers.positions[t];
    q.insert(q.end(), all_q.begin() + token * width, all_q.begin() + (token + 1) * width);
  }
  AttendOp args{};
  args.q = check.upload(q);
  args.num_tokens = num_tokens;
  args.num_heads = of.heads.query;
  args.places = upload_places(check, of, lookers.sequences, lookers.positions);
  args.cache = of.cache;
  args.sinks = check.upload(how.sinks);
  args.window = how.window;
  args.scale = 0.125f;
  args.max_chunks = *std::ranges::max_element(lookers.positions) / kChunkTokens + 1;
  args.partial =
      how.split ? check.make<float>(size_t{num_tokens} * of.heads.kv * args.max_chunks * kPartialFloats) : nullptr;
  args.out = check.make<uint16_t>(q.size());
  args.to_f16 = how.to_f16;
  attend(args, check.stream());
  return check.download(args.out, q.size());
}

/// One head of one token.
void compare_head(Check& check, const Cached& of, uint32_t sequence, uint32_t position, uint32_t head,
                  const uint16_t* query, const uint16_t* got, const Attending& how) {
  const uint32_t kv_head = head / (of.heads.query / of.heads.kv);
  const uint32_t first = how.window > 0 && position + 1 > how.window ? position + 1 - how.window : 0;
  std::vector<double> weights;
  std::vector<std::vector<float>> values;
  double largest = how.sinks[head], score_error = 0;
  for (uint32_t p = first; p <= position; ++p) {
    const auto key = read(of, sequence, p, kv_head, false);
    double score = 0, magnitude = 0;
    for (uint32_t i = 0; i < kHeadDim; ++i) {
      score += static_cast<double>(bf16_to_f32(query[i])) * key[i];
      magnitude += std::fabs(static_cast<double>(bf16_to_f32(query[i])) * key[i]);
    }
    weights.push_back(score * 0.125);
    largest = std::max(largest, weights.back());
    values.push_back(read(of, sequence, p, kv_head, true));
    score_error = std::max(score_error, 0.125 * magnitude * (tensor_core_error(kHeadDim) + 4 * kF32Rounding));
  }
  double smallest = 0;  // exponent of those that weigh something
  for (const double weight : weights) smallest = std::min(smallest, std::max(weight - largest, -40.));
  double sum = std::exp(how.sinks[head] - largest);
  for (double& weight : weights) sum += weight = std::exp(weight - largest);
  const double chunks = position / kChunkTokens - first / kChunkTokens + 1;
  // A weight is off by what its score is and by the exponential, its exponent rounded twice, once a chunk more; and so
  // is their sum, in float32. Products with values: a warp adds up 64 positions, four warps and the chunks in order.
  const double of_exponent = score_error + 4 * kF32Rounding * (-smallest + std::fabs(how.sinks[head]));
  const double of_weight = of_exponent + (1 + chunks) * kExp2Error;
  const double of_values = tensor_core_error(64) + (4 + 3 * chunks) * kF32Rounding;
  const double of_sum = of_weight + (16 + 3 * chunks) * kF32Rounding + kDivideError;
  const double rounding = how.to_f16 ? kF16Rounding : kBf16Rounding;
  for (uint32_t i = 0; i < kHeadDim; ++i) {
    double want = 0, magnitude = 0;
    for (uint32_t p = 0; p < weights.size(); ++p) {
      want += weights[p] / sum * values[p][i];
      magnitude += weights[p] / sum * std::fabs(values[p][i]);
    }
    // And every weight is rounded to bf16 before it meets values.
    const double before_rounding = magnitude * (kBf16Rounding + of_weight + of_values + of_sum) * (1 + kBf16Rounding);
    const double allowed = before_rounding * (1 + rounding) + std::fabs(want) * rounding + kF16Least;
    check.near(how.to_f16 ? f16_to_f32(got[i]) : bf16_to_f32(got[i]), want, allowed, [&] {
      return fmt::format("number {} of head {} at position {}, window {}", i, head, position, how.window);
    });
  }
}

void attention(Check& check, KvDtype dtype) {
  for (const Heads& heads : head_cases(check)) {
    const Cached of = store(check, heads, dtype,
                            check.quick() ? std::vector<uint32_t>{300, 70} : std::vector<uint32_t>{2048, 300, 70});
    const Lookers lookers = lookers_of(of);
    const uint32_t width = heads.query * kHeadDim;
    const auto q = check.download(of.q, of.qkv.size() / (heads.query + 2 * heads.kv) * heads.query);
    Attending how{random_floats(heads.query, check.rng(), 2), 0, false, false};
    for (const uint32_t window : {0u, 40u, 128u}) {
      how.window = window;
      how.to_f16 = window == 40;
      const auto got = compute(check, of, lookers, how);
      for (uint32_t t = 0; t < lookers.positions.size(); ++t)
        for (uint32_t head = 0; head < heads.query; head += heads.query > 8 ? 7 : 1) {
          const size_t token = of.first_token(lookers.sequences[t]) + lookers.positions[t];
          compare_head(check, of, lookers.sequences[t], lookers.positions[t], head, &q[token * width + head * kHeadDim],
                       &got[t * width + head * kHeadDim], how);
        }
      // The same bits where chunks are blocks of their own, and for each token alone.
      how.split = true;
      const auto split = compute(check, of, lookers, how);
      how.split = false;
      check.same_bits(std::span(split), std::span(got), [&](size_t i) {
        return fmt::format("position {}, window {}, chunks split", lookers.positions[i / width], window);
      });
      for (uint32_t t = 0; t < lookers.positions.size(); t += check.quick() ? 5 : 1) {
        const auto alone = compute(check, of, {{lookers.sequences[t]}, {lookers.positions[t]}}, how);
        check.same_bits(std::span(alone), std::span(got).subspan(size_t{t} * width, width), [&](size_t) {
          return fmt::format("position {}, window {}, alone", lookers.positions[t], window);
        });
      }
    }
    check.free_memory();
  }
}

}  // namespace

std::vector<NamedCheck> attention_checks() {
  std::vector<NamedCheck> checks;
  for (const KvDtype dtype : {KvDtype::kBf16, KvDtype::kInt8}) {
    const std::string name(kv_dtype_name(dtype));
    checks.push_back({"rotation and cache, " + name, [=](Check& check) { rotation_and_cache(check, dtype); }});
    checks.push_back({"attention, " + name, [=](Check& check) { attention(check, dtype); }});
  }
  return checks;
}

}  // namespace gossamer::kernels::cuda
