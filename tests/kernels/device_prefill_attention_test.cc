/// Attention of tiles of tokens on the device: a token has the bits that attention of single tokens gives it. (Those
/// are compared with sums in double in device_attention_test.cc.)

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>

#include "base/dtype.h"
#include "kernels/cuda/kv_order.h"
#include "kernels/device_test.h"
#include "kernels/kv_layout.h"

namespace gossamer::testing {
namespace {

using namespace kernels;
using namespace kernels::cuda;

constexpr uint32_t kHeadDim = 64;

/// Tokens of a sequence that a step computes: positions [start, start + length).
struct Row {
  uint32_t start, length;
};

/// A step's queries, and a cache of random numbers, NaN behind the end of each sequence. Its pages lie anywhere.
class DevicePrefillAttention : public DeviceTest {
 protected:
  struct Shape {
    KvDtype dtype;
    uint32_t num_heads, kv_heads, window;
    bool poisoned = false;  // the last token of every sequence has keys and values of NaN
  };

  AttendOp make_step(const Shape& shape, const std::vector<Row>& rows, std::mt19937& rng) {
    const KvLayout layout{shape.dtype, shape.kv_heads, kHeadDim};
    std::vector<uint32_t> positions, begins, pages;
    uint32_t longest = 1;
    for (const Row& row : rows) {
      const uint32_t end = row.start + row.length;
      for (uint32_t i = 0; i < row.length; ++i) positions.push_back(row.start + i);
      begins.insert(begins.end(), row.length, static_cast<uint32_t>(pages.size()));
      for (uint32_t page = 0; page < (end + 31) / 32; ++page) pages.push_back(static_cast<uint32_t>(pages.size()));
      longest = std::max(longest, end);
    }
    std::shuffle(pages.begin(), pages.end(), rng);
    std::vector<std::byte> memory(pages.size() * layout.block_bytes(), std::byte{0xff});
    uint32_t begin = 0;
    for (const Row& row : rows) {
      const uint32_t end = row.start + row.length;
      for (uint32_t position = 0; position < end - shape.poisoned; ++position)
        for (uint32_t head = 0; head < shape.kv_heads; ++head)
          fill(layout, memory.data() + pages[begin + position / 32] * layout.block_bytes(), position % 32, head, rng);
      begin += (end + 31) / 32;
    }
    num_tokens_ = static_cast<uint32_t>(positions.size());
    count_ = size_t{num_tokens_} * shape.num_heads * kHeadDim;
    std::normal_distribution<float> normal(0, 1.5f);
    std::vector<uint16_t> q(count_);
    for (uint16_t& value : q) value = f32_to_bf16(normal(rng));
    std::vector<float> sinks(shape.num_heads);
    for (float& sink : sinks) sink = normal(rng);

    AttendOp args{};
    args.q = upload(q);
    args.num_heads = shape.num_heads;
    args.places = {upload(positions), upload(begins), upload(pages)};
    args.cache = {upload(memory), layout.block_bytes(), shape.dtype, shape.kv_heads};
    args.sinks = upload(sinks);
    args.window = shape.window;
    args.scale = 0.125f;
    args.max_chunks = (longest + 255) / 256;
    return args;
  }

  /// Out of a launch for these tokens alone; zeros elsewhere.
  template <class Launch>
  std::vector<uint16_t> take(AttendOp& args, const Launch& launch) {
    args.out = make<uint16_t>(count_);
    stream_.fill(args.out, 0, count_ * sizeof(uint16_t));
    launch();
    return download(args.out, count_);
  }
  std::vector<uint16_t> alone(AttendOp args, const std::vector<AttendTile>& tiles) {
    std::vector<uint32_t> tokens;
    for (const AttendTile& tile : tiles)
      for (uint32_t i = 0; i < tile.count; ++i) tokens.push_back(tile.first + i);
    args.tokens = upload(tokens);
    args.num_tokens = static_cast<uint32_t>(tokens.size());
    return take(args, [&] { attend(args, stream_.get()); });
  }
  std::vector<uint16_t> in_tiles(AttendOp args, const std::vector<AttendTile>& tiles, uint32_t tile_tokens,
                                 bool split) {
    const auto num_tiles = static_cast<uint32_t>(tiles.size());
    if (split)
      args.partial =
          make<float>(size_t{num_tiles} * tile_tokens * args.cache.kv_heads * args.max_chunks * kPartialFloats);
    const AttendTile* sent = upload(tiles);
    return take(args, [&] { attend_tiles({args, sent, num_tiles, tile_tokens}, stream_.get()); });
  }

 private:
  static void fill(const KvLayout& layout, std::byte* block, uint32_t slot, uint32_t head, std::mt19937& rng) {
    std::normal_distribution<float> normal(0, 1);
    const auto put = [&](uint64_t at, uint16_t bits) { std::memcpy(block + at, &bits, sizeof bits); };
    for (uint32_t i = 0; i < kHeadDim; ++i) {
      const uint64_t key = key_at(layout.dtype, slot, i), value = value_at(layout.dtype, slot, i);
      if (layout.dtype == KvDtype::kInt8) {
        block[layout.keys(head) + key] = static_cast<std::byte>(rng());
        block[layout.values(head) + value] = static_cast<std::byte>(rng());
      } else {
        put(layout.keys(head) + 2 * key, f32_to_bf16(normal(rng)));
        put(layout.values(head) + 2 * value, f32_to_bf16(normal(rng)));
      }
    }
    if (layout.dtype != KvDtype::kInt8) return;
    put(layout.key_scales(head) + 2 * slot, f32_to_bf16(0.005f + static_cast<float>(rng() % 64) / 4096));
    put(layout.value_scales(head) + 2 * slot, f32_to_bf16(0.005f + static_cast<float>(rng() % 64) / 4096));
  }

  uint32_t num_tokens_ = 0;
  size_t count_ = 0;
};

/// The tiles of a row that begins at token `first` of the step, as a step cuts it; of many, two at random and the last.
std::vector<AttendTile> some_tiles(const Row& row, uint32_t first, uint32_t tile_tokens, std::mt19937& rng) {
  std::vector<AttendTile> tiles;
  for (uint32_t i = 0; i < row.length; i += tile_tokens)
    tiles.push_back({first + i, std::min(tile_tokens, row.length - i)});
  if (tiles.size() > 3) {
    std::shuffle(tiles.begin(), tiles.end() - 1, rng);
    tiles.erase(tiles.begin() + 2, tiles.end() - 1);
  }
  return tiles;
}

TEST(DeviceCache, HasEveryNumberAtAPlaceOfItsOwn) {
  for (const KvDtype dtype : {KvDtype::kBf16, KvDtype::kInt8}) {
    std::vector<uint32_t> keys(kHeadDim * kKvBlockTokens), values(keys.size());
    for (uint32_t slot = 0; slot < kKvBlockTokens; ++slot)
      for (uint32_t dim = 0; dim < kHeadDim; ++dim) {
        ++keys.at(key_at(dtype, slot, dim));
        ++values.at(value_at(dtype, slot, dim));
      }
    EXPECT_EQ(keys, std::vector<uint32_t>(keys.size(), 1)) << kv_dtype_name(dtype);
    EXPECT_EQ(values, keys) << kv_dtype_name(dtype);
  }
}

TEST_F(DevicePrefillAttention, HasTheBitsOfEachTokenAlone) {
  std::mt19937 rng(4);
  const std::pair<uint32_t, uint32_t> heads[] = {{8, 1}, {6, 2}, {5, 1}};
  for (uint32_t i = 0; i < 10; ++i) {
    const auto [num_heads, kv_heads] = heads[i % 3];
    const auto below = [&](uint32_t end) { return static_cast<uint32_t>(rng() % end); };
    const uint32_t windows[] = {0, 128, 1 + below(300), 0};
    const Shape shape{i % 2 == 0 ? KvDtype::kBf16 : KvDtype::kInt8, num_heads, kv_heads, windows[i % 4], i % 3 == 0};
    const uint32_t tile_tokens = i % 4 == 3 ? kFewTileTokens : kManyTileTokens;
    const std::vector<Row> rows = {{below(300), 1 + below(16)}, {0, 1 + below(600)}};
    AttendOp args = make_step(shape, rows, rng);
    std::vector<AttendTile> tiles;
    uint32_t first = 0;
    for (const Row& row : rows) {
      const auto of_row = some_tiles(row, first, tile_tokens, rng);
      tiles.insert(tiles.begin(), of_row.begin(), of_row.end());
      first += row.length;
    }
    const auto want = alone(args, tiles);
    const std::string what =
        fmt::format("case {}: {}, window {}, {} of {} heads, rows at {} + {} and of {}", i, kv_dtype_name(shape.dtype),
                    shape.window, num_heads, kv_heads, rows[0].start, rows[0].length, rows[1].length);
    ASSERT_EQ(in_tiles(args, tiles, tile_tokens, false), want) << what;
    if (i % 2 == 0) continue;
    ASSERT_EQ(in_tiles(args, tiles, tile_tokens, true), want) << what << ", split";
  }
}

TEST_F(DevicePrefillAttention, IsOfNumbersWhateverIsBehindATokensEnd) {
  std::mt19937 rng(5);
  for (const KvDtype dtype : {KvDtype::kBf16, KvDtype::kInt8}) {
    AttendOp args = make_step({dtype, 8, 1, 0, true}, {{250, 16}}, rng);
    const auto got = in_tiles(args, {{0, 16}}, kManyTileTokens, false);
    const auto is_number = [](uint16_t bits) { return std::isfinite(bf16_to_f32(bits)); };
    EXPECT_TRUE(std::all_of(got.begin(), got.end() - 8 * kHeadDim, is_number)) << kv_dtype_name(dtype);
    EXPECT_TRUE(std::none_of(got.end() - 8 * kHeadDim, got.end(), is_number)) << kv_dtype_name(dtype);
  }
}

}  // namespace
}  // namespace gossamer::testing
