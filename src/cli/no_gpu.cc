/// In place of gpu_verbs.cc where the program is built without CUDA.

#include "cli/failure.h"
#include "cli/gpu_options.h"

namespace gossamer::cli {

int run_gpu(const GpuOptions& /*options*/) {
  return fail(make_error(
      ErrorCode::kUnsupported,
      "this program was built without kernels for GPUs; in its clone run ./gossamer setup cuda, then ./gossamer "
      "builds it with them"));
}

}  // namespace gossamer::cli
