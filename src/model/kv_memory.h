#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/big_memory.h"
#include "base/result.h"
#include "kernels/kv_layout.h"
#include "kv/kv_shape.h"
#include "kv/page_id.h"

namespace gossamer {

static_assert(kPageTokens == kernels::kKvBlockTokens, "a block is what one layer keeps of a page");

/// The bytes behind the pages: page after page, in each one block a layer of its group. The system gives memory as it
/// is first written (or all of it, populate()), and never more than was asked for here.
class KvMemory {
 public:
  /// Errors: the system has not that much address space or memory; the sentence says how much was wanted.
  static Result<KvMemory> allocate(const kernels::KvLayout& layout, const KvShape& shape, uint32_t num_pages);

  /// Memory of a device, which `memory` keeps alive: pages are where KvMemory puts them, and only kernels look at them.
  static KvMemory of_device(const kernels::KvLayout& layout, const KvShape& shape, uint32_t num_pages,
                            std::shared_ptr<std::byte> memory);

  /// How often memory was allocated in this process: tests see with it that a running engine never does.
  static uint64_t num_allocations();

  const kernels::KvLayout& layout() const { return layout_; }
  uint32_t num_pages() const { return num_pages_; }
  uint64_t page_bytes() const { return page_bytes_; }
  uint64_t size_bytes() const { return page_bytes_ * num_pages_; }

  /// The block of a layer, counted within its group.
  std::byte* block(PageId page, uint32_t layer_of_group) const {
    return data() + page * page_bytes_ + layer_of_group * layout_.block_bytes();
  }

  /// Writes `value` to every byte, of memory of the host: tests fill pages with nonsense that nobody may read.
  void fill(std::byte value);
  /// Takes all memory from the system now, so that none is asked for later.
  void populate();

 private:
  kernels::KvLayout layout_;
  uint32_t num_pages_ = 0;
  uint64_t page_bytes_ = 0;
  std::byte* data() const { return device_memory_ ? device_memory_.get() : memory_.data(); }

  BigMemory memory_;
  std::shared_ptr<std::byte> device_memory_;  // instead
};

/// Where a sequence's keys and values are: entry i of a table is the page of positions 32 i .. 32 i + 31. In `sliding`
/// an entry may be kNoPage where no position is left of the window, or where the row itself computes all of it that it
/// needs.
struct SequenceCache {
  const KvMemory* memory = nullptr;
  std::span<const PageId> full, sliding;
};

}  // namespace gossamer
