#pragma once
/// Copies between a device and pinned memory of the host, as late as a GPU may make them: what comes to the host is
/// there when somebody has waited for it and not before (until then it is NaN), and what goes to the device must still
/// be the same then. Other memory of the host is copied at once, as a GPU's driver does with memory that may move.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace gossamer::emulated {

/// Pinned memory is known here from when it is allocated until it is freed.
void know_pinned(const std::byte* memory, uint64_t size_bytes);
void forget_pinned(const std::byte* memory);

/// By a kernel: the host may see what the flag's piece of pinned memory holds now, and nothing that is stored there
/// later. Until it has waited it sees NaN.
void raise_flag(uint32_t* flag);
/// By the host, which sees it all from then on. False: nobody raised it since it was last taken.
bool take_flag(const uint32_t* flag);

/// The copies of one stream that nobody has waited for.
class PendingCopies {
 public:
  void to_device(void* to, const void* from, uint64_t bytes);
  void to_host(void* to, const void* from, uint64_t bytes);
  /// How many there have been so far.
  uint64_t num_begun() const { return num_done_ + pending_.size(); }
  /// Ends the first `num` of all. A process whose host wrote to what was on its way to the device ends.
  void finish(uint64_t num);

 private:
  struct Copy {
    std::byte* host;
    std::vector<std::byte> bytes;  // what was there when the copy's turn came
    bool is_to_host;
  };
  std::deque<Copy> pending_;
  uint64_t num_done_ = 0;
};

}  // namespace gossamer::emulated
