#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include "base/result.h"
#include "tools/tool.h"

namespace gossamer::tools {

/// How many interpreters may be alive at once. Whoever finds no place waits in line, first come, first served. Any
/// thread.
class InterpreterPlaces : public std::enable_shared_from_this<InterpreterPlaces> {
 public:
  /// `most_waiting`: more than these are refused at once.
  InterpreterPlaces(uint32_t places, uint32_t most_waiting)
      : num_places_(places), num_free_(places), most_waiting_(most_waiting) {}

  /// The right to have an interpreter; given back with its end.
  class Place {
   public:
    Place(Place&&) noexcept = default;
    Place& operator=(Place&& other) noexcept {
      std::swap(places_, other.places_);
      return *this;
    }
    ~Place() {
      if (places_) places_->give_back();
    }

   private:
    friend class InterpreterPlaces;
    explicit Place(std::shared_ptr<InterpreterPlaces> places) : places_(std::move(places)) {}
    std::shared_ptr<InterpreterPlaces> places_;
  };

  /// Errors: kBusy where none came free in time, or too many wait; kCancelled.
  Result<Place> take(Clock::time_point deadline, const Cancellation& cancelled);

 private:
  void give_back();

  std::mutex mutex_;
  std::condition_variable news_;
  const uint32_t num_places_;
  uint32_t num_free_;
  const size_t most_waiting_;
  std::set<uint64_t> waiting_;  // numbers in line
  uint64_t next_number_ = 0;
};

}  // namespace gossamer::tools
