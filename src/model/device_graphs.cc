#include "model/device_graphs.h"

#include <algorithm>

namespace gossamer {

using kernels::cuda::DeviceGraph;
using kernels::cuda::DeviceStream;

const DeviceGraph* DeviceGraphs::find(const StepKey& key, const DeviceStream& stream,
                                      const std::function<void()>& record) {
  if (!graphs_.empty() && !graphs_.front().key.has_cache_of(key)) {
    if (!stream.synchronize().ok()) return nullptr;
    drop();
  }
  const auto found = std::find_if(graphs_.begin(), graphs_.end(), [&](const Made& made) { return made.key == key; });
  if (found != graphs_.end()) return &found->graph;
  if (!failure_.empty() || graphs_.size() >= most_) return nullptr;
  Result<DeviceGraph> made = DeviceGraph::record(stream, record);
  if (!made.ok()) {
    failure_ = made.error().message;
    return nullptr;
  }
  return &graphs_.emplace_back(Made{key, std::move(*made)}).graph;
}

bool DeviceGraphs::launch(const StepKey& key, const DeviceStream& stream, const std::function<void()>& record) {
  const DeviceGraph* graph = find(key, stream, record);
  if (graph) graph->launch(stream);
  return graph != nullptr;
}

bool DeviceGraphs::make(const StepKey& key, const DeviceStream& stream, const std::function<void()>& record) {
  return find(key, stream, record) != nullptr;
}

}  // namespace gossamer
