#include "support/emulated_hopper.h"

#include <algorithm>
#include <array>
#include <limits>
#include <random>
#include <vector>

namespace gossamer::emulated {
namespace {

constexpr uint32_t kSharedBegins = 16 * 37;
constexpr uint32_t kDepth = 16;  // columns of an instruction

using Fragment = std::array<uint32_t, 4>;

/// A product that was begun and not waited for, as one thread sees it.
struct UnderWay {
  WarpgroupProduct what;
  Fragment a;               // the thread's own part
  std::vector<uint16_t> b;  // the columns that are the thread's
  std::vector<float> sums;
  bool is_committed = false;
};
struct KeptOfThread {
  std::vector<std::pair<const uint32_t*, Fragment>> operands;  // that the last fences handed over
  std::vector<const float*> sums;
  std::vector<UnderWay> products;
  std::vector<std::pair<void*, uint32_t>> stores;
};
KeptOfThread& kept() {
  std::any& any = kept_of_thread();
  if (!any.has_value()) any.emplace<KeptOfThread>();
  return *std::any_cast<KeptOfThread>(&any);
}

Fragment fragment_at(const uint32_t* a) {
  return {a[0], a[1], a[2], a[3]};
}

/// Eight columns (the first or the last of 16) of row n of a right operand, as the instruction's description of a
/// matrix in shared memory says (PTX, "matrix descriptor"): without a swizzle, in core matrices of 8 rows of 16 bytes;
/// or with that of 128 bytes.
const std::byte* columns_of(uint64_t operand, uint32_t n, uint32_t half) {
  const auto field = [&](uint32_t first, uint32_t bits) {
    return static_cast<uint32_t>(operand >> first) & ((1u << bits) - 1);
  };
  const uint32_t start = field(0, 14) << 4, leading = field(16, 14) << 4, stride = field(32, 14) << 4;
  if (field(49, 3) != 0) give_up("rows that begin elsewhere than at a multiple of the swizzle", "wgmma");
  uint32_t address = start + n / 8 * stride;
  switch (field(62, 2)) {
    case 0:
      address += half * leading + n % 8 * 16;
      break;
    case 1:
      address += n % 8 * 128 + half * 16;
      address ^= (address >> 7 & 7) << 4;
      break;
    default:
      give_up("a swizzle that nobody emulates", "wgmma");
  }
  if (address < kSharedBegins || address + 16 > kSharedBegins + shared_size())
    give_up("an operand outside of shared memory", "wgmma");
  return shared_bytes() + address - kSharedBegins;
}

/// Of the columns of sums that this thread has.
std::vector<uint16_t> read_operand(const WarpgroupProduct& product) {
  std::vector<uint16_t> out(product.tokens / 4 * kDepth);
  const uint32_t pair = place().thread.x % 4;
  uint16_t* to = out.data();
  for (uint32_t n = 0; n < product.tokens; n += 8)
    for (uint32_t token = 0; token < 2; ++token)
      for (uint32_t half = 0; half < 2; ++half, to += 8)
        std::memcpy(to, columns_of(product.b, n + 2 * pair + token, half), 16);
  return out;
}

float number_of(uint16_t bits, bool is_bf16) {
  return is_bf16 ? bf16_to_f32(bits) : f16_to_f32(bits);
}

struct Shown {
  Fragment a;
  uint64_t b;
  uint32_t tokens, adds;
};

/// As emulate_mma() for each 8 tokens; `left` is what the four lanes of this thread's rows hold.
void add_products(const Shown* left, UnderWay& product) {
  const bool is_bf16 = product.what.is_bf16;
  std::array<std::array<double, kDepth>, 2> a;  // rows g and g + 8
  for (uint32_t row = 0; row < 2; ++row)
    for (uint32_t k = 0; k < kDepth; ++k)
      a[row][k] = number_of(static_cast<uint16_t>(left[k % 8 / 2].a[2 * (k / 8) + row] >> 16 * (k % 2)), is_bf16);
  std::vector<double> b(product.b.size());
  for (size_t i = 0; i < b.size(); ++i) b[i] = number_of(product.b[i], is_bf16);
  for (uint32_t i = 0; i < product.sums.size(); ++i) {
    const double* column = &b[(i / 4 * 2 + i % 2) * kDepth];
    double sum = 0;
    for (uint32_t k = 0; k < kDepth; ++k) sum += a[i / 2 % 2][k] * column[k];
    product.sums[i] = static_cast<float>(product.sums[i] + sum);
  }
}

/// What runs beside the threads takes a while, each time another.
void take_a_while(const char* site) {
  thread_local std::minstd_rand rng;
  uint32_t rounds = rng() % 4;
  wait_until([&rounds] { return rounds-- == 0; }, site);
}

/// A barrier's eight bytes.
struct Mbarrier {
  uint16_t expected, missing, phase, is_made;
};
constexpr uint16_t kMade = 0x6d62;
Mbarrier& mbarrier_at(uint64_t* barrier) {
  auto& found = *reinterpret_cast<Mbarrier*>(barrier);
  if (found.is_made != kMade) give_up("a barrier that nobody has made", "mbarrier");
  return found;
}

}  // namespace

uint32_t shared_address(const void* shared) {
  return kSharedBegins + static_cast<uint32_t>(static_cast<const std::byte*>(shared) - shared_bytes());
}

void fence_operand(const uint32_t* a) {
  kept().operands.emplace_back(a, fragment_at(a));
}
void fence_sums(const float* d) {
  kept().sums.push_back(d);
}

void begin_product(const WarpgroupProduct& product) {
  KeptOfThread& mine = kept();
  if (std::count(mine.sums.begin(), mine.sums.end(), product.d) == 0) give_up("sums without a fence", "wgmma");
  const std::pair operand(product.a, fragment_at(product.a));
  if (std::count(mine.operands.begin(), mine.operands.end(), operand) == 0)
    give_up("a left operand that was written behind the fence", "wgmma");

  const Shown shown{operand.second, product.b, product.tokens, product.adds};
  std::array<Shown, 128> all;
  std::memcpy(all.data(), show_warpgroup(&shown, sizeof shown, "wgmma"), sizeof all);
  for (const Shown& other : all)
    if (other.b != product.b || other.tokens != product.tokens || other.adds != product.adds)
      give_up("threads of a warpgroup want different products", "wgmma");

  UnderWay under_way{product, operand.second, read_operand(product), std::vector<float>(product.tokens / 2, 0.f)};
  if (product.adds) {
    std::copy_n(product.d, product.tokens / 2, under_way.sums.begin());
    for (const UnderWay& before : mine.products)
      if (before.what.d == product.d) under_way.sums = before.sums;
  }
  add_products(&all[place().thread.x % 128 / 4 * 4], under_way);
  std::fill_n(product.d, product.tokens / 2, std::numeric_limits<float>::quiet_NaN());
  mine.products.push_back(std::move(under_way));
}

void commit_products() {
  for (UnderWay& product : kept().products) product.is_committed = true;
}

void wait_for_products() {
  take_a_while("wgmma_wait");
  KeptOfThread& mine = kept();
  bool spoiled = false;  // sums of a later product are made of an earlier one's
  for (const UnderWay& product : mine.products) {
    if (!product.is_committed) continue;
    spoiled |= fragment_at(product.what.a) != product.a || read_operand(product.what) != product.b;
    if (!spoiled) std::copy(product.sums.begin(), product.sums.end(), product.what.d);
  }
  std::erase_if(mine.products, [](const UnderWay& product) { return product.is_committed; });
  for (const UnderWay& product : mine.products)
    std::fill_n(product.what.d, product.what.tokens / 2, std::numeric_limits<float>::quiet_NaN());
  mine.operands.clear();  // whatever is written from now on needs a fence
  mine.sums.clear();
  show_warp(nullptr, 0, "wgmma_wait");
}

void store_late(void* to, uint32_t value) {
  kept().stores.emplace_back(to, value);
}
void fence_stores() {
  take_a_while("fence_stores");
  for (const auto& [to, value] : kept().stores) std::memcpy(to, &value, sizeof value);
  kept().stores.clear();
}

void look_at(const void* from, uint32_t bytes) {
  if (reinterpret_cast<uintptr_t>(from) % 16 != 0 || bytes % 16 != 0) give_up("pieces of 16 bytes", "bring_to_l2");
  const auto* at = static_cast<const volatile std::byte*>(from);
  for (uint32_t i = 0; i < bytes; ++i) static_cast<void>(at[i]);
}

void init_mbarrier(uint64_t* barrier, uint32_t arrivals) {
  const Mbarrier made{static_cast<uint16_t>(arrivals), static_cast<uint16_t>(arrivals), 0, kMade};
  std::memcpy(barrier, &made, sizeof made);
}
void arrive(uint64_t* barrier) {
  Mbarrier& at = mbarrier_at(barrier);
  if (--at.missing > 0) return;
  at.missing = at.expected;
  at.phase ^= 1;
}
void wait_for_phase(uint64_t* barrier, uint32_t parity) {
  Mbarrier& at = mbarrier_at(barrier);
  wait_until([&at, parity] { return at.phase != (parity & 1); }, "mbarrier_wait");
}

}  // namespace gossamer::emulated
