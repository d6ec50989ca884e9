/// Models that are made on the device: what their weights are, what comes out of them, and how they are timed.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>

#include "kernels/cuda/synthetic.h"
#include "kernels/rope_table.h"
#include "model/device_forward.h"
#include "model/device_rates.h"
#include "model/kernel_rates.h"
#include "sampling/philox.h"

namespace gossamer::testing {
namespace {

using namespace kernels::cuda;

/// Small, and with columns (96) and rows of which no strip is full.
ModelConfig small_config() {
  ModelConfig config;
  config.num_layers = 2;
  config.hidden = 128;
  config.intermediate = 96;
  config.num_heads = 4;
  config.num_kv_heads = 2;
  config.head_dim = 64;
  config.num_experts = 8;
  config.experts_per_token = 2;
  config.vocab_size = 500;
  config.sliding_window = 16;
  config.original_context = 4096;
  config.max_context = 4096;
  return config;
}

class MadeUp : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto devices = list_devices();
    if (!devices.ok()) GTEST_SKIP() << devices.error().message;
    stream_ = std::move(DeviceStream::create()).value();
  }
  std::vector<std::byte> download(const void* from, uint64_t bytes) {
    std::vector<std::byte> out(bytes);
    stream_.copy_to_host(out.data(), from, bytes);
    EXPECT_TRUE(stream_.synchronize().ok());
    return out;
  }
  std::vector<std::byte> strips(const StripShape& shape, uint32_t copies, SyntheticName name, float bias = 0.125f) {
    DeviceMemory memory = std::move(DeviceMemory::allocate(shape.bytes() * copies)).value();
    stream_.fill(memory.data(), 0xff, memory.size_bytes());
    make_up_strips({shape, memory.data(), copies, name, 0.1f, bias}, stream_.get());
    return download(memory.data(), memory.size_bytes());
  }

  DeviceStream stream_;
};

/// What a strip says of one row, read as strips.h has it and not as the kernel wrote it.
struct ReadRow {
  std::vector<float> values;   // [padded K]
  std::vector<uint8_t> codes;  // of MXFP4 [padded K]
  std::vector<uint32_t> scales;
  float bias = 0;
};

ReadRow read_row(const StripShape& shape, const std::byte* strip, uint32_t group_row) {
  ReadRow row;
  const uint32_t group = group_row % 8, below = group_row / 8;
  const auto word_at = [&](const std::byte* at, auto word) {
    std::memcpy(&word, at, sizeof word);
    return word;
  };
  for (uint32_t col = 0; col < padded_cols(shape.cols); ++col) {
    const uint32_t step = col / 64, half = col % 64 / 32, quad = col % 32 / 8, i = col % 8, lane = group * 4 + quad;
    const std::byte* codes = strip + step * step_vectors(shape.format) * 512;
    const uint32_t at_scale = step * 32 + group * 4 + half * 2 + below;
    if (shape.format == StripFormat::kMxfp4) {
      const uint32_t word = word_at(codes + lane * 16 + half * 8 + below * 4, uint32_t{}) >> 16 * (i % 2) & 0xffff;
      const uint32_t number = word >> (9 - mxfp4_number_shift(i / 2)) & 7,
                     sign = word >> (15 - mxfp4_sign_shift(i / 2)) & 1;
      row.codes.push_back(static_cast<uint8_t>(sign << 3 | number));
      row.scales.push_back(static_cast<uint32_t>(strip[shape.scales_offset() + at_scale]) - kScaleOfCodes);
      constexpr float kNumbers[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
      const float value = kNumbers[number] * std::ldexp(1.f, static_cast<int>(row.scales.back()) - 127);
      row.values.push_back(number == 0 ? 0 : sign ? -value : value);
    } else if (shape.format == StripFormat::kQ8) {
      const auto code = static_cast<int8_t>(codes[half * 512 + lane * 16 + below * 8 + i]);
      row.values.push_back(code * f16_to_f32(word_at(strip + shape.scales_offset() + 2 * at_scale, uint16_t{})));
    } else {
      const uint16_t bits = word_at(codes + (2 * half + below) * 512 + lane * 16 + 2 * i, uint16_t{});
      row.values.push_back(shape.format == StripFormat::kBf16 ? bf16_to_f32(bits) : f16_to_f32(bits));
    }
  }
  row.bias = word_at(strip + shape.bias_offset() + 4 * group_row, 0.f);
  return row;
}

TEST_F(MadeUp, NumbersArePhiloxOfSeedTensorAndPlace) {
  DeviceMemory memory = std::move(DeviceMemory::allocate(10 * sizeof(float))).value();
  const uint64_t seed = 0x123456789abcdef0u;
  make_up_floats({memory.data(), 10, {seed, 7}, 2.f, 0.5f}, stream_.get());
  const auto bytes = download(memory.data(), 10 * sizeof(float));
  std::array<float, 10> got;
  std::memcpy(got.data(), bytes.data(), sizeof got);
  for (uint32_t i = 0; i < 10; ++i) {
    const auto drawn = philox4x32({i / 4, 0, 0, 7}, {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
    const float uniform = static_cast<float>(static_cast<int32_t>(drawn[i % 4])) / 2147483648.f;
    EXPECT_EQ(got[i], std::fma(uniform, 0.5f, 2.f)) << i;
  }
}

/// Of every format: finite, as large as was asked for, zero where the matrix is not.
TEST_F(MadeUp, StripsAreMatrices) {
  for (const StripFormat format : {StripFormat::kBf16, StripFormat::kF16, StripFormat::kQ8, StripFormat::kMxfp4}) {
    SCOPED_TRACE(static_cast<int>(format));
    const StripShape shape{format, 200, 416};  // the last strip has 8 rows, the last step 32 columns
    constexpr uint32_t kCopies = 3;
    const auto bytes = strips(shape, kCopies, {5, 1});
    double sum = 0, squares = 0, bias_squares = 0;
    std::array<uint32_t, 16> of_code{};
    std::array<uint32_t, 256> of_scale{};
    for (uint32_t row = 0; row < kCopies * shape.num_strips() * kStripRows; ++row) {
      const uint32_t in_copy = row % (shape.num_strips() * kStripRows);
      const ReadRow read =
          read_row(shape, bytes.data() + uint64_t{row / kStripRows} * shape.strip_bytes(), row % kStripRows);
      for (uint32_t col = 0; col < padded_cols(shape.cols); ++col) {
        const float value = read.values[col];
        if (in_copy >= shape.rows || col >= shape.cols) {
          ASSERT_EQ(value, 0) << row << " " << col;
          continue;
        }
        ASSERT_TRUE(std::isfinite(value));
        sum += value;
        squares += static_cast<double>(value) * value;
        if (format == StripFormat::kMxfp4) {
          ++of_code[read.codes[col]];
          ASSERT_GE(read.scales[col], 116u);
          ASSERT_LE(read.scales[col], 124u);
          ++of_scale[read.scales[col]];
        }
      }
      if (in_copy >= shape.rows) {
        ASSERT_EQ(read.bias, 0);
      }
      ASSERT_LE(std::fabs(read.bias), 0.125f);
      bias_squares += static_cast<double>(read.bias) * read.bias;
    }
    const double count = double{kCopies} * shape.rows * shape.cols;
    const double wanted = format == StripFormat::kMxfp4 ? 0.056 : 0.1;
    EXPECT_NEAR(sum / count, 0, 6 * wanted / std::sqrt(count));
    EXPECT_NEAR(std::sqrt(squares / count), wanted, 0.05 * wanted);
    EXPECT_NEAR(std::sqrt(bias_squares / (kCopies * shape.rows)), 0.125 / std::sqrt(3.), 0.01);
    if (format != StripFormat::kMxfp4) continue;
    for (const uint32_t times : of_code) EXPECT_NEAR(times, count / 16, 6 * std::sqrt(count / 16));
    for (uint32_t scale = 116; scale <= 124; ++scale) EXPECT_GT(of_scale[scale], 0u) << scale;
  }
}

TEST_F(MadeUp, TheSameNameGivesTheSameNumbersAndAnotherNameOthers) {
  const StripShape shape{StripFormat::kMxfp4, 32, 128};
  const auto one = strips(shape, 2, {5, 1});
  EXPECT_EQ(one, strips(shape, 2, {5, 1}));
  EXPECT_NE(one, strips(shape, 2, {6, 1}));
  EXPECT_NE(one, strips(shape, 2, {5 + (uint64_t{1} << 40), 1}));
  EXPECT_NE(one, strips(shape, 2, {5, 2}));
  // Experts and strips of one are different matrices too.
  const auto strip = [&](uint32_t index) {
    return std::vector(one.begin() + index * shape.strip_bytes(), one.begin() + (index + 1) * shape.strip_bytes());
  };
  for (uint32_t a = 0; a < 4; ++a)
    for (uint32_t b = 0; b < a; ++b) EXPECT_NE(strip(a), strip(b)) << a << " " << b;
}

/// A model with its cache, as `gossamer gpu model` makes it.
struct MadeModel {
  explicit MadeModel(const ModelConfig& new_config, const SyntheticModel& model = {}) : config(new_config) {
    auto weights = DeviceWeights::synthetic(config, model, {});
    EXPECT_TRUE(weights.ok()) << weights.error().message;
    weight_bytes = weights->size_bytes();
    auto made = DeviceForward::make_with(config, std::move(*weights), {});
    EXPECT_TRUE(made.ok()) << made.error().message;
    forward = std::move(*made);
  }

  /// The tokens of one sequence, in one step.
  std::vector<float> logits_of(const std::vector<TokenId>& tokens, ForwardTrace* trace = nullptr) {
    const kernels::KvLayout layout{kernels::KvDtype::kBf16, config.num_kv_heads, config.head_dim};
    const uint32_t pages = pages_of(tokens.size());
    const KvShape shape{config.num_layers / 2, config.num_layers - config.num_layers / 2, config.sliding_window,
                        layout.token_bytes()};
    auto memory = forward->allocate_kv(layout, shape, 2 * pages);
    EXPECT_TRUE(memory.ok());
    std::vector<PageId> full(pages), sliding(pages);
    std::iota(full.begin(), full.end(), 0u);
    std::iota(sliding.begin(), sliding.end(), pages);
    Batch batch{tokens, {}};
    BatchRow& row = batch.rows.emplace_back();
    row.cache = {&*memory, full, sliding};
    row.length = static_cast<uint32_t>(tokens.size());
    row.logit_offsets = {row.length - 1};
    auto logits = forward->forward(batch, trace);
    EXPECT_TRUE(logits.ok());
    return {logits->begin(), logits->end()};
  }

  ModelConfig config;
  uint64_t weight_bytes = 0;
  std::unique_ptr<DeviceForward> forward;
};

std::vector<TokenId> many_tokens(uint32_t count, uint32_t vocab) {
  std::vector<TokenId> tokens(count);
  for (uint32_t i = 0; i < count; ++i) tokens[i] = i * 2654435761u % vocab;
  return tokens;
}

/// How often each expert of each layer was chosen.
std::vector<std::vector<uint32_t>> choices(const ModelConfig& config, const ForwardTrace& trace) {
  std::vector<std::vector<uint32_t>> counts;
  for (const ForwardTrace::Layer& layer : trace.layers) {
    counts.emplace_back(config.num_experts);
    for (const uint32_t expert : layer.router_indices) ++counts.back()[expert];
  }
  return counts;
}

TEST_F(MadeUp, AModelIsFiniteRepeatableAndSpreadsItsTokens) {
  const ModelConfig config = small_config();
  const auto tokens = many_tokens(96, config.vocab_size), few_tokens = many_tokens(6, config.vocab_size);
  for (const StripFormat dense : {StripFormat::kBf16, StripFormat::kQ8}) {
    SyntheticModel model;
    model.dense = dense;
    MadeModel made(config, model);
    ForwardTrace trace;
    const auto logits = made.logits_of(tokens, &trace);
    EXPECT_EQ(logits.size(), config.vocab_size);
    double squares = 0;
    for (const float logit : logits) {
      ASSERT_TRUE(std::isfinite(logit));
      squares += static_cast<double>(logit) * logit;
    }
    const double size = std::sqrt(squares / config.vocab_size);
    EXPECT_GT(size, 0.3);
    EXPECT_LT(size, 3);
    const auto once = made.logits_of(few_tokens);
    EXPECT_EQ(MadeModel(config, model).logits_of(few_tokens), once);
    model.seed = 2;
    EXPECT_NE(MadeModel(config, model).logits_of(few_tokens), once);
    const double fair = static_cast<double>(tokens.size()) * config.experts_per_token / config.num_experts;
    for (const auto& layer : choices(config, trace))
      for (const uint32_t times : layer) {
        EXPECT_GT(times, fair / 3);
        EXPECT_LT(times, fair * 3);
      }
  }
}

/// A popular expert is chosen far more often than the least popular one, and is another in the next layer.
TEST_F(MadeUp, ARouterMayHaveFavourites) {
  const ModelConfig config = small_config();
  SyntheticModel model;
  model.router = SyntheticModel::Router::kZipf;
  ForwardTrace trace;
  MadeModel(config, model).logits_of(many_tokens(96, config.vocab_size), &trace);
  const auto counts = choices(config, trace);
  std::vector<size_t> favourites;
  for (const auto& layer : counts) {
    const auto [least, most] = std::minmax_element(layer.begin(), layer.end());
    EXPECT_GT(*most, 4 * *least);
    favourites.push_back(static_cast<size_t>(most - layer.begin()));
  }
  EXPECT_NE(favourites[0], favourites[1]);
}

Status fill(const KvMemory& memory, const DeviceStream& stream) {
  make_up_bf16({memory.block(0, 0), memory.size_bytes() / 2, {1, 99}, 0, 1}, stream.get());
  return stream.synchronize();
}

/// The whole measurement on a small model: every figure is there or says why not, and their work is counted right.
TEST_F(MadeUp, AModelIsTimed) {
  const ModelConfig config = small_config();
  MadeModel made(config);
  DeviceRatesOptions options;
  options.batches = {1, 5};
  options.contexts = {0, 40, 5000};
  options.prefills = {9, 40};
  options.chunk_tokens = 32;
  options.least_runs = options.most_runs = 2;
  options.warm_ups = 1;
  const DeviceRoof roof{1e9, 1e12, 1e12};
  std::vector<DeviceRate> rates;
  const Status done = measure_device_rates(
      *made.forward, config, {}, roof, options, [&](const KvMemory& memory) { return fill(memory, stream_); },
      [&](const DeviceRate& rate) {
        rates.push_back(rate);
        return true;
      });
  ASSERT_TRUE(done.ok()) << done.error().message;
  ASSERT_EQ(rates.size(), 2u * 3 + 2);
  EXPECT_EQ(rates[0].name, "decode b1 c0");
  EXPECT_EQ(rates[3].name, "decode b5 c40");
  EXPECT_EQ(rates[7].name, "prefill 40");
  for (const DeviceRate& rate : rates) {
    SCOPED_TRACE(rate.name);
    if (rate.context == 5000) {
      EXPECT_NE(rate.skipped.find("context is 4096"), std::string::npos) << rate.skipped;
      continue;
    }
    EXPECT_EQ(rate.skipped, "");
    EXPECT_EQ(rate.runs, 2u);
    EXPECT_GT(rate.least_seconds, 0);
    EXPECT_LE(rate.least_seconds, rate.seconds);
    EXPECT_GT(rate.cost.limit_seconds, 0);
    EXPECT_GT(rate.cost.predicted_seconds, rate.cost.limit_seconds);
    EXPECT_DOUBLE_EQ(rate.tokens_per_second() * rate.seconds, rate.tokens);
    if (rate.is_prefill) continue;
    EXPECT_GE(rate.experts, config.experts_per_token);
    EXPECT_EQ(rate.experts == config.experts_per_token, rate.batch == 1);
  }
  EXPECT_GT(rates[2].cost.bytes, rates[0].cost.bytes);  // keys and values of 40 tokens
}

TEST_F(MadeUp, WhatTimeOrMemoryDoNotAllowIsLeftOut) {
  const ModelConfig config = small_config();
  MadeModel made(config);
  DeviceRatesOptions options;
  options.batches = {1};
  options.contexts = {16};
  options.prefills = {};
  options.seconds = 0;
  const auto measured = [&](ForwardPass& model) {
    std::vector<DeviceRate> rates;
    const Status done = measure_device_rates(
        model, config, {}, {}, options, [&](const KvMemory& memory) { return fill(memory, stream_); },
        [&](const DeviceRate& rate) {
          rates.push_back(rate);
          return true;
        });
    EXPECT_TRUE(done.ok()) << done.error().message;
    return rates;
  };
  EXPECT_NE(measured(*made.forward).at(0).skipped.find("0 seconds are over"), std::string::npos);
  options.seconds = 100;
  options.contexts = {4000};
  options.batches = {6000};  // 12 GB of keys and values; the emulated device has 8
  EXPECT_NE(measured(*made.forward).at(0).skipped.find("GB are free"), std::string::npos);
  options.batches = {1};
  EXPECT_EQ(measured(*made.forward).at(0).skipped, "");
  EXPECT_EQ(measured(*made.forward).at(0).cost.limit_seconds, 0) << "no roof was given";
}

/// A cache of NaN makes logits of NaN, and a time of those is no figure.
TEST_F(MadeUp, ATimeOfNumbersThatAreNoneIsAnError) {
  const ModelConfig config = small_config();
  MadeModel made(config);
  DeviceRatesOptions options;
  options.batches = {2};
  options.contexts = {16};
  const auto poison = [&](const KvMemory& memory) {
    stream_.fill(memory.block(0, 0), 0xff, memory.size_bytes());
    return stream_.synchronize();
  };
  const Status done =
      measure_device_rates(*made.forward, config, {}, {}, options, poison, [](const DeviceRate&) { return true; });
  ASSERT_FALSE(done.ok());
  EXPECT_NE(done.error().message.find("decode b2 c16: what was chosen of a row's logits"), std::string::npos)
      << done.error().message;
}

/// Each kernel alone, with few rows and with many: as much work as the shapes say.
TEST_F(MadeUp, KernelsAreTimed) {
  ModelConfig config = small_config();
  KernelRatesOptions options;
  options.rows = {2, 34};
  options.context = 300;
  options.cache_bytes = 1 << 16;
  options.seconds_of_figure = 0;
  std::vector<KernelRate> rates;
  const auto keep = [&](const KernelRate& rate) {
    rates.push_back(rate);
    return rates.size() < 30;
  };
  const Status done = measure_kernel_rates(config, {}, {1e9, 1e12, 0}, options, keep);
  ASSERT_TRUE(done.ok()) << done.error().message;
  ASSERT_EQ(rates.size(), 30u) << "it ends where it is told to";
  // 13 of a step, 3 of draws, 3 of few tokens, 2 of prompts; products in one run.
  const size_t of_two_rows = kernels::cuda::has_warpgroups() ? 26 : 21;
  EXPECT_EQ(rates[of_two_rows - 1].rows, 2u);
  EXPECT_EQ(rates[of_two_rows].rows, 34u);
  const auto of = [&](std::string_view name) { return *std::ranges::find(rates, name, &KernelRate::name); };
  for (const KernelRate& rate : rates) {
    EXPECT_GT(rate.seconds, 0) << rate.name;
    EXPECT_GE(rate.runs, 5u) << rate.name;
    EXPECT_NEAR(rate.limit_seconds, std::max(rate.bytes / 1e9, rate.flops / 1e12), 1e-12) << rate.name;
  }
  EXPECT_EQ(of("qkv").flops, 2.0 * 2 * 128 * (4 + 2 * 2) * 64);
  EXPECT_EQ(of("head").bytes, (StripShape{StripFormat::kBf16, 500, 128}.bytes()) + 2 * 128 * 2 + 2 * 500 * 4);
  EXPECT_EQ(of("attention, full").flops, 4.0 * 2 * 256 * 301);
  EXPECT_EQ(of("attention, window").flops, 4.0 * 2 * 256 * 16);
  EXPECT_EQ(of("prompt attention, full").flops, 4.0 * 256 * (300 + 301));
  EXPECT_EQ(of("prompt attention, window").flops, of("attention, window").flops);
  EXPECT_EQ(of("few: norm, qkv, store").flops, of("qkv").flops);
  EXPECT_EQ(of("few: down, combine").flops, of("down").flops);
  EXPECT_EQ(of("draw, top_p").bytes, 2 * 500 * 4);
  const double experts =
      (of("gate and up").bytes - 4 * 128 * 2 - 4 * 192 * 4) / StripShape{StripFormat::kMxfp4, 192, 128}.bytes();
  EXPECT_GE(experts, 2) << "two tokens choose two experts each";
  EXPECT_LE(experts, 4);
}

/// The bytes of a token of the real models, as they were derived by hand: 1.27 GB of attention, 1.16 of the head and
/// 1.27 of experts for a 20b, 5.04 GB in all for a 120b, both behind 1,024 tokens.
TEST(StepCost, IsWhatTheDesignDerived) {
  ModelConfig config = small_config();
  config.num_layers = 24;
  config.hidden = config.intermediate = 2880;
  config.num_heads = 64;
  config.num_kv_heads = 8;
  config.num_experts = 32;
  config.experts_per_token = 4;
  config.vocab_size = 201088;
  config.sliding_window = 128;
  const auto cost = [&](uint32_t batch) {
    return cost_of(parts_of_step(config, {}, decode_work(config, batch, 1024)), {});
  };
  EXPECT_NEAR(cost(1).bytes / 1e9, 3.74, 0.02);
  EXPECT_NEAR(cost(64).bytes / 1e9, 14.4, 0.1);
  EXPECT_NEAR(cost(256).bytes / 1e9, 19.9, 0.2);
  EXPECT_NEAR(cost(1).flops / 1e9, 6.06 + 1.16 + 0.23, 0.1);
  EXPECT_NEAR(expected_experts(config, 8), 21.0, 0.1);
  const auto parts = parts_of_step(config, {}, decode_work(config, 1, 1024));
  const auto bytes_of = [&](std::string_view name) {
    return std::ranges::find(parts, name, &StepPart::name)->bytes / 1e9;
  };
  EXPECT_NEAR(bytes_of("qkv") + bytes_of("o"), 1.27, 0.01);
  EXPECT_NEAR(bytes_of("gate and up") + bytes_of("down"), 1.27, 0.01);
  EXPECT_NEAR(bytes_of("head"), 1.16, 0.01);
  config.num_layers = 36;
  config.num_experts = 128;
  EXPECT_NEAR(cost(1).bytes / 1e9, 5.04, 0.05);  // its router was bf16, ours is float32
  EXPECT_NEAR(cost(64).bytes / 1e9, 58.8, 0.4);
  // A prompt: operations bound it, and every chunk but the last has no logits.
  StepWork prompt = prefill_work(config, 0, 2048);
  prompt.num_logits = 0;
  for (const StepPart& part : parts_of_step(config, {}, prompt)) {
    EXPECT_EQ(part.bytes > 0, part.name != "head" && part.name != "rest") << part.name;
  }
  EXPECT_EQ(prompt.looks[0], 2048u * 2049 / 2);
  EXPECT_EQ(prompt.looks[1], 128u * 129 / 2 + (2048u - 128) * 128);
  EXPECT_EQ(prefill_work(config, 1000, 24).cached_tokens[1], 127u + 24);
}

TEST(StepCost, ExpectsWhatBoundsEachPart) {
  const ModelConfig config = small_config();
  const auto parts = parts_of_step(config, {}, decode_work(config, 1, 100));
  const double launches = std::accumulate(parts.begin(), parts.end(), 0.0,
                                          [](double sum, const StepPart& part) { return sum + part.launches; });
  // With a memory that slow, nothing else counts.
  const StepCost slow = cost_of(parts, {1e6, 1e15, 1e15});
  EXPECT_NEAR(slow.predicted_seconds, slow.bytes / 0.92e6 + launches * 2.5e-6, 1e-6);
  EXPECT_NEAR(slow.limit_seconds, slow.bytes / 1e6, 1e-9);
  // With few lanes, instructions are what bounds products.
  EXPECT_GT(cost_of(parts, {1e12, 1e15, 1e6}).predicted_seconds, 0.1);
  EXPECT_EQ(cost_of(parts, {}).predicted_seconds, 0);
}

}  // namespace
}  // namespace gossamer::testing
