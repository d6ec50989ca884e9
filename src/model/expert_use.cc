#include "model/expert_use.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/mmap_file.h"
#include "base/new_file.h"
#include "model/packed_cache.h"

namespace gossamer {
namespace {

/// Layout: a header that says what was counted, the counts [layers, E] in 64 bits, a checksum (XXH3) of them.
constexpr uint64_t kHeaderBytes = 256;
constexpr char kTitle[] = "gossamer expert use 1\n";
/// Choices in a layer that old counts weigh at most: those of 100,000 tokens.
constexpr uint64_t kRememberedChoices = 400'000;

std::array<char, kHeaderBytes> header_of(const ExpertUseFile& file, uint32_t num_layers, uint32_t num_experts) {
  std::array<char, kHeaderBytes> header{};
  const std::string text = fmt::format("{}{}\n{} {}\n", kTitle, file.source, num_layers, num_experts);
  std::memcpy(header.data(), text.data(), std::min<size_t>(text.size(), header.size()));
  return header;
}

uint64_t checksum_of(std::span<const uint64_t> counts) {
  return XXH3_64bits(counts.data(), counts.size_bytes());
}

}  // namespace

bool ExpertUse::is_empty() const {
  return std::all_of(counts_.begin(), counts_.end(), [](uint64_t count) { return count == 0; });
}

void ExpertUse::forget_old() {
  for (uint32_t layer = 0; layer < num_layers_; ++layer) {
    const auto of_layer = std::span(counts_).subspan(uint64_t{layer} * num_experts_, num_experts_);
    double sum = 0;
    for (const uint64_t count : of_layer) sum += static_cast<double>(count);
    if (sum <= static_cast<double>(kRememberedChoices)) continue;
    for (uint64_t& count : of_layer)
      count = static_cast<uint64_t>(static_cast<double>(count) * (static_cast<double>(kRememberedChoices) / sum));
  }
}

ExpertUseFile expert_use_file(const std::string& model_path, std::string source) {
  return {packed_cache_path({"expert-use", model_path, {}, 0}), std::move(source)};
}

KeptExpertUse read_expert_use(const ExpertUseFile& file, uint32_t num_layers, uint32_t num_experts) {
  KeptExpertUse kept{ExpertUse(num_layers, num_experts)};
  if (file.path.empty()) return kept;
  const auto opened = MmapFile::open(file.path);
  if (!opened.ok()) return kept;  // none yet, as far as anybody can tell
  const std::span<const std::byte> bytes = opened->bytes();
  const std::span<uint64_t> counts = kept.use.counts();
  const auto header = header_of(file, num_layers, num_experts);
  constexpr size_t kTitleBytes = sizeof kTitle - 1;
  kept.damaged = bytes.size() < kHeaderBytes || std::memcmp(bytes.data(), kTitle, kTitleBytes) != 0;
  if (kept.damaged || std::memcmp(bytes.data(), header.data(), kHeaderBytes) != 0) return kept;  // of another model
  kept.damaged = bytes.size() != kHeaderBytes + counts.size_bytes() + sizeof(uint64_t);
  if (kept.damaged) return kept;
  uint64_t checksum;
  std::memcpy(counts.data(), bytes.data() + kHeaderBytes, counts.size_bytes());
  std::memcpy(&checksum, bytes.data() + kHeaderBytes + counts.size_bytes(), sizeof checksum);
  kept.damaged = checksum != checksum_of(counts);
  if (kept.damaged) std::fill(counts.begin(), counts.end(), 0);
  return kept;
}

Status write_expert_use(const ExpertUseFile& file, const ExpertUse& use) {
  const std::span<const uint64_t> counts = use.counts();
  const uint64_t checksum = checksum_of(counts);
  GOS_TRY(NewFile fresh, NewFile::create(file.path, kHeaderBytes + counts.size_bytes() + sizeof checksum));
  std::memcpy(fresh.data(), header_of(file, use.num_layers(), use.num_experts()).data(), kHeaderBytes);
  std::memcpy(fresh.data() + kHeaderBytes, counts.data(), counts.size_bytes());
  std::memcpy(fresh.data() + kHeaderBytes + counts.size_bytes(), &checksum, sizeof checksum);
  return fresh.commit();
}

}  // namespace gossamer
