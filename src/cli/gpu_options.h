#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace gossamer::cli {

/// What stands on the command line of `gossamer gpu`.
struct GpuOptions {
  std::string verb = "info";  ///< "info", "selftest", "roof", "model", "bench"
  std::string device;         ///< "1", "cuda:1"; empty: the first that can be used
  std::string json;           ///< the report: a file, "-" for standard output; empty: none is written
  std::string revision;       ///< of the source, for the report; empty: not known

  std::string preset = "20b", router = "uniform", dense = "bf16", kv_dtype = "bf16";  // model, bench
  std::string sums = "auto";                                                          // model
  std::optional<uint64_t> seconds, seed;
  std::string batches = "1,2,4,8,16,32,64,128,256", contexts = "128,1024,8192", prefills = "128,512,2048,8192";
  uint32_t chunk_tokens = 4096;
  std::string rows = "1,8,64,512";  // bench
  uint32_t depth = 1024;
  std::string only;    // bench, selftest
  bool quick = false;  // selftest
};

/// Does what the verb says on a GPU of this machine. Returns the exit code; what failed has been said.
int run_gpu(const GpuOptions& options);

}  // namespace gossamer::cli
