#include "kernels/cuda/hopper_agreement.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "base/dtype.h"

namespace gossamer::kernels::cuda {
namespace {

constexpr std::array<const char*, 4> kNames = {"bf16", "f16", "Q8_0", "MXFP4"};

/// Strips of random weights: of codes every one; numbers and scales of some octaves, so that sums round.
std::vector<std::byte> random_strips(const StripShape& shape, std::mt19937& rng) {
  std::vector<std::byte> strips(shape.bytes(), std::byte{0});
  const auto number = [&]() -> uint16_t {
    const uint32_t bits = rng();
    return static_cast<uint16_t>(shape.format == StripFormat::kBf16 ? f32_to_bf16(std::ldexp(bits * 0x1p-31f - 1, -4))
                                                                    : f32_to_f16(std::ldexp(bits * 0x1p-31f - 1, -4)));
  };
  const bool has_scales = step_scale_bytes(shape.format) > 0;
  for (uint32_t strip = 0; strip < shape.num_strips(); ++strip) {
    std::byte* to = strips.data() + uint64_t{strip} * shape.strip_bytes();
    for (uint32_t at = 0; at < shape.codes_bytes(); at += 2) {
      const uint16_t two = has_scales ? static_cast<uint16_t>(rng()) : number();
      std::memcpy(to + at, &two, 2);
    }
    for (uint32_t at = shape.scales_offset(); at < shape.bias_offset(); at += 2) {
      const auto octave = [&] { return 127 + 14 - 9 + rng() % 4; };  // as pack_strips.cc stores it
      const uint32_t scale = shape.format == StripFormat::kQ8
                                 ? f32_to_f16(0.01f + static_cast<float>(rng() % 64) / 4096)
                                 : octave() << 8 | octave();
      const auto two = static_cast<uint16_t>(scale);
      std::memcpy(to + at, &two, 2);
    }
  }
  return strips;
}

std::vector<uint16_t> random_rows(const StripShape& shape, uint32_t tokens, std::mt19937& rng) {
  std::normal_distribution<float> normal;
  std::vector<uint16_t> rows(uint64_t{tokens} * padded_cols(shape.cols), 0);
  for (uint64_t i = 0; i < rows.size(); ++i)
    if (i % padded_cols(shape.cols) < shape.cols)
      rows[i] = takes_bf16(shape.format) ? f32_to_bf16(normal(rng)) : f32_to_f16(normal(rng));
  return rows;
}

Result<FormatAgreement> compare(const DeviceStream& stream, const StripShape& shape, uint32_t tokens) {
  std::mt19937 rng(1);
  const std::vector<std::byte> strips = random_strips(shape, rng);
  const std::vector<uint16_t> x = random_rows(shape, tokens, rng);
  const uint64_t num_sums = uint64_t{tokens} * shape.rows;
  GOS_TRY(const DeviceMemory on_device, DeviceMemory::allocate(strips.size()));
  GOS_TRY(const DeviceMemory rows, DeviceMemory::allocate(x.size() * sizeof(uint16_t)));
  GOS_TRY(const DeviceMemory out, DeviceMemory::allocate(2 * num_sums * sizeof(float)));
  stream.copy_to_device(on_device.data(), strips.data(), strips.size());
  stream.copy_to_device(rows.data(), x.data(), x.size() * sizeof(uint16_t));
  stream.fill(out.data(), 0xff, out.size_bytes());
  ProductArgs args{};
  args.shape = shape;
  args.strips = on_device.data();
  args.x = rows.as<uint16_t>();
  args.x_stride = padded_cols(shape.cols);
  args.num_rows = tokens;
  args.finish = Finish::kStore;
  args.out_stride = shape.rows;
  for (const Sums sums : {Sums::kInSlices, Sums::kInSlicesOnHopper}) {
    args.sums = sums;
    args.out = out.as<float>() + (sums == Sums::kInSlices ? 0 : num_sums);
    product(args, stream.get());
  }
  std::vector<float> both(2 * num_sums);
  stream.copy_to_host(both.data(), out.data(), both.size() * sizeof(float));
  GOS_TRY_STATUS(stream.synchronize());
  FormatAgreement agreement{shape.format, num_sums, 0, 0};
  double largest = 0, furthest = 0;
  for (uint64_t i = 0; i < num_sums; ++i) {
    const float want = both[i], got = both[num_sums + i];
    agreement.num_different += std::memcmp(&want, &got, sizeof want) != 0;
    largest = std::max<double>(largest, std::fabs(want));
    const double difference = std::fabs(static_cast<double>(want) - got);
    furthest = std::isfinite(difference) ? std::max(furthest, difference) : INFINITY;
  }
  agreement.largest_difference = furthest / largest;
  return agreement;
}

}  // namespace

bool HopperAgreement::same_bits() const {
  return std::all_of(formats.begin(), formats.end(),
                     [](const FormatAgreement& of) { return of.num_sums > 0 && of.num_different == 0; });
}

std::string HopperAgreement::report() const {
  std::string lines;
  for (const FormatAgreement& of : formats)
    lines +=
        of.num_different == 0
            ? fmt::format("{}: the same bits in {} sums\n", kNames[static_cast<size_t>(of.format)], of.num_sums)
            : fmt::format("{}: other bits in {} of {} sums, by at most {:.1e} of the largest\n",
                          kNames[static_cast<size_t>(of.format)], of.num_different, of.num_sums, of.largest_difference);
  return lines;
}

Result<HopperAgreement> compare_on_hopper(const DeviceStream& stream, const AgreementShape& shape) {
  if (!has_warpgroups())
    return make_error(ErrorCode::kUnsupported,
                      "the GPU in use has no warpgroups to compare: that needs compute capability 9.0 (Hopper)");
  if (tile_rows_for(shape.tokens, Sums::kInSlicesOnHopper) == 8)
    return make_error(ErrorCode::kInvalidInput,
                      "{} rows are multiplied by mma.sync anyway; compare with more of them (33 are enough)",
                      shape.tokens);
  HopperAgreement agreement;
  for (size_t i = 0; i < agreement.formats.size(); ++i) {
    const StripShape strips{static_cast<StripFormat>(i), shape.rows, shape.cols};
    GOS_TRY(agreement.formats[i], compare(stream, strips, shape.tokens));
  }
  return agreement;
}

}  // namespace gossamer::kernels::cuda
