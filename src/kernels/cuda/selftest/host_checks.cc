/// What kernels and the host tell each other through pinned memory while the device computes.

#include <algorithm>

#include "kernels/cuda/selftest/check.h"
#include "kernels/cuda/strips.h"

namespace gossamer::kernels::cuda {
namespace {

constexpr uint32_t kActive = 4;

struct Case {
  uint32_t width, tokens;
  uint32_t stride() const { return padded_cols(width); }
  uint32_t slots() const { return tokens * kActive; }
};
std::vector<Case> cases(const Check& check) {
  if (check.quick()) return {{96, 1}, {160, 5}};
  return {{2880, 1}, {2880, 2}, {2880, 5}, {2880, 8}, {96, 3}};
}

std::vector<uint32_t> random_words(size_t count, std::mt19937& rng) {
  std::vector<uint32_t> words(count);
  for (uint32_t& word : words) word = rng();
  return words;
}

/// Questions again and again, each other than the one before, read as soon as the flag says that they are there.
void what_the_host_is_told(Check& check) {
  for (const Case& of : cases(check)) {
    const size_t halves = size_t{of.tokens} * of.stride();
    uint16_t* normed = nullptr;
    uint32_t *choices = nullptr, *flag = nullptr;
    const auto cut = [&](std::byte* memory) {
      DeviceCutter cutter(memory);
      cutter.cut(normed, halves);
      cutter.cut(choices, of.slots());
      cutter.cut(flag, 1);
      return cutter.used();
    };
    const auto pinned = PinnedMemory::allocate(cut(nullptr));
    if (!pinned.ok()) return check.wrong(pinned.error().message);
    cut(pinned->data());
    for (uint32_t round = 0; round < (check.quick() ? 3u : 50u); ++round) {
      const auto rows = random_words(halves / 2, check.rng()), chosen = random_words(of.slots(), check.rng());
      const uint32_t *rows_there = check.upload(rows), *chosen_there = check.upload(chosen);
      if (!rows_there || !chosen_there) return;
      lower_flag(flag);
      tell_host({reinterpret_cast<const uint16_t*>(rows_there), chosen_there, of.tokens, of.stride(), of.slots(),
                 normed, choices, flag},
                check.stream());
      if (const Status told = wait_for_flag(flag, check.device_stream()); !told.ok())
        return check.wrong(told.error().message);
      const auto where = [&](size_t i) { return fmt::format("number {} of {} tokens, round {}", i, of.tokens, round); };
      check.same_bits(std::span<const uint16_t>(normed, halves),
                      std::span(reinterpret_cast<const uint16_t*>(rows.data()), halves), where);
      check.same_bits(std::span<const uint32_t>(choices, of.slots()), std::span<const uint32_t>(chosen), where);
    }
    check.free_memory();
  }
}

/// As combine_experts() where all rows are on the device, for every number of rows that the host may give.
void sums_with_the_hosts_rows(Check& check) {
  for (const Case& of : cases(check)) {
    const auto all_rows = random_floats(size_t{of.slots()} * of.width, check.rng());
    const auto before = random_floats(size_t{of.tokens} * of.width, check.rng());
    const auto weights = random_floats(of.slots(), check.rng());
    std::vector<uint32_t> places(of.slots());
    for (uint32_t slot = 0; slot < of.slots(); ++slot) places[slot] = slot;
    std::shuffle(places.begin(), places.end(), check.rng());
    const auto pinned = PinnedMemory::allocate(all_rows.size() * sizeof(float) + sizeof(uint32_t));
    if (!pinned.ok()) return check.wrong(pinned.error().message);
    auto* const rows = reinterpret_cast<float*>(pinned->data());
    auto* const first_place = reinterpret_cast<uint32_t*>(rows + all_rows.size());
    const auto sum = [&](uint32_t first, bool with_host) {
      auto on_device = all_rows;
      if (with_host) std::fill(on_device.begin() + size_t{first} * of.width, on_device.end(), 1e30f);
      const CombineOp op{
          check.upload(on_device), check.upload(places), check.upload(weights), of.tokens, kActive, of.width,
          check.upload(before)};
      if (check.device_failed()) return std::vector<float>();
      if (with_host)
        combine_with_host(op, {rows, first_place}, check.stream());
      else
        combine_experts(op, check.stream());
      return check.download(op.residual, before.size());
    };
    const auto want = sum(of.slots(), false);
    for (uint32_t first = 0; first <= of.slots(); ++first) {
      std::copy(all_rows.begin() + size_t{first} * of.width, all_rows.end(), rows);
      *first_place = first;
      const auto got = sum(first, true);
      check.same_bits(std::span<const float>(got), std::span<const float>(want), [&](size_t i) {
        return fmt::format("number {} of token {}, {} of {} rows from the host", i % of.width, i / of.width,
                           of.slots() - first, of.slots());
      });
    }
    check.free_memory();
  }
}

}  // namespace

std::vector<NamedCheck> host_checks() {
  return {{"what the host is told", what_the_host_is_told}, {"sums with the host's rows", sums_with_the_hosts_rows}};
}

}  // namespace gossamer::kernels::cuda
