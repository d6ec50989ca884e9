#include "model/device_graphs.h"

#include <algorithm>

namespace gossamer {

using kernels::cuda::DeviceGraph;
using kernels::cuda::DeviceStream;

const DeviceGraphs::Segments* DeviceGraphs::find(const StepKey& key, const DeviceStream& stream, uint32_t num_segments,
                                                 const RecordFn& record) {
  if (!steps_.empty() && !steps_.front().key.has_cache_of(key)) {
    if (!stream.synchronize().ok()) return nullptr;
    drop();
  }
  const auto found = std::find_if(steps_.begin(), steps_.end(), [&](const Made& made) { return made.key == key; });
  if (found != steps_.end()) return &found->segments;
  if (!failure_.empty() || steps_.size() >= most_) return nullptr;
  Segments segments;
  for (uint32_t segment = 0; segment < num_segments; ++segment) {
    Result<DeviceGraph> made = DeviceGraph::record(stream, [&] { record(segment); });
    if (!made.ok()) {
      failure_ = made.error().message;
      return nullptr;
    }
    segments.push_back(std::move(*made));
  }
  return &steps_.emplace_back(Made{key, std::move(segments)}).segments;
}

}  // namespace gossamer
