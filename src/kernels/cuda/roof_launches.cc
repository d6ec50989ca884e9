/// What it costs to start kernels. The one part of the program that asks for graphs by itself: these are kernels that
/// do nothing, one behind the other.

#ifndef GOSSAMER_EMULATED_DEVICE
#include <cuda_runtime.h>
#endif

#include <chrono>

#include "kernels/cuda/launch_settings.h"
#include "kernels/cuda/roof.h"
#include "kernels/cuda/roof_kernels.h"

namespace gossamer::kernels::cuda {
namespace {

Roof launch_roof(std::string name, uint32_t num_launches, const RunTimes& times) {
  return {std::move(name),
          times.median_us / num_launches,
          "us",
          times.spread,
          static_cast<double>(num_launches),
          times.median_us,
          ""};
}

#ifndef GOSSAMER_EMULATED_DEVICE

struct DestroyGraph {
  void operator()(cudaGraph_t graph) const { cudaGraphDestroy(graph); }
  void operator()(cudaGraphExec_t graph) const { cudaGraphExecDestroy(graph); }
};

Status check(cudaError_t error) {
  if (error == cudaSuccess) return {};
  return make_error(ErrorCode::kIo, "the GPU cannot compute a graph: {}", cudaGetErrorString(error));
}

Result<Roof> measure_graph(const RoofOptions& options, const DeviceStream& stream, bool overlaps, std::string name) {
  GOS_TRY_STATUS(check(cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeThreadLocal)));
  for (uint32_t i = 0; i < options.num_launches; ++i)
    roof_nothing(options.device.num_processors, overlaps, stream.get());
  cudaGraph_t captured = nullptr;
  GOS_TRY_STATUS(check(cudaStreamEndCapture(stream.get(), &captured)));
  const std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, DestroyGraph> graph(captured);
  cudaGraphExec_t instantiated = nullptr;
  GOS_TRY_STATUS(check(cudaGraphInstantiate(&instantiated, graph.get(), 0)));
  const std::unique_ptr<std::remove_pointer_t<cudaGraphExec_t>, DestroyGraph> exec(instantiated);
  GOS_TRY(const RunTimes times,
          time_runs(stream, options.num_runs, [&] { cudaGraphLaunch(exec.get(), stream.get()); }));
  return launch_roof(std::move(name), options.num_launches, times);
}

#endif

}  // namespace

Result<std::vector<Roof>> measure_launches(const RoofOptions& options, const DeviceStream& stream) {
  using Clock = std::chrono::steady_clock;
  std::vector<Roof> roofs;
  double host_us = 0;  // of the last run
  GOS_TRY(const RunTimes times, time_runs(stream, options.num_runs, [&] {
            const auto begin = Clock::now();
            for (uint32_t i = 0; i < options.num_launches; ++i)
              roof_nothing(options.device.num_processors, false, stream.get());
            host_us = std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
          }));
  roofs.push_back(launch_roof("launch, in a stream", options.num_launches, times));
  roofs.push_back(launch_roof("launch, what the host spends", options.num_launches, {host_us, 0}));
#ifndef GOSSAMER_EMULATED_DEVICE
  GOS_TRY(Roof graph, measure_graph(options, stream, false, "launch, in a graph"));
  roofs.push_back(std::move(graph));
  if (launches_overlap()) {
    GOS_TRY(Roof overlapping, measure_graph(options, stream, true, "launch, in a graph, each begins early"));
    roofs.push_back(std::move(overlapping));
  }
#endif
  return roofs;
}

}  // namespace gossamer::kernels::cuda
