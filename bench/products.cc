/// Rates of one product by format, way and number of inputs: what the kernels do when memory is not the limit. The
/// matrix (gpt-oss' 2880 x 2880) stays in the caches.
///
///   bench_products [--threads N] [--backend NAME]

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>
#include <string_view>

#include "base/cpu.h"
#include "kernels/backend.h"

namespace gossamer {
namespace {

using kernels::Backend;
using kernels::WeightRows;

constexpr uint32_t kRows = 2880, kCols = 2880;
constexpr uint32_t kInputs[] = {1, 2, 4, 6, 8, 16, 64};

struct Matrix {
  std::vector<std::byte> bytes;
  WeightRows rows;

  explicit Matrix(Dtype dtype) : bytes(row_bytes(dtype, kCols) * kRows) {
    std::mt19937 random(1);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    const uint64_t block_bytes = dtype == Dtype::kQ8_0 ? kQ8BlockBytes : kMxfp4GgmlBlockBytes;
    const uint16_t scale = dtype == Dtype::kQ8_0 ? 0x2000 : 0x7878;  // moderate ones, whatever the format
    for (uint64_t block = 0; block < bytes.size(); block += block_bytes)
      std::memcpy(&bytes[block], &scale, dtype == Dtype::kQ8_0 ? 2 : 1);
    rows = {dtype, Mxfp4Layout::kGgml, kRows, kCols, bytes.data(), row_bytes(dtype, kCols), nullptr, 0};
  }
};

/// The best of some tries, in seconds.
double seconds_of(Backend& backend, const WeightRows& w, uint32_t num_inputs) {
  std::vector<float> x(size_t{num_inputs} * kCols, 0.5f), out(size_t{num_inputs} * kRows);
  double best = 1e9;
  for (double spent = 0; spent < 0.3;) {
    const auto begin = std::chrono::steady_clock::now();
    backend.matmul({w, nullptr, x.data(), num_inputs, out.data(), kRows, false});
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    best = std::min(best, seconds);
    spent += seconds;
  }
  return best;
}

int main_with(unsigned num_threads, std::string_view name) {
  ThreadPool threads(num_threads);
  auto in_f32 = kernels::make_backend(name, threads, kernels::Precision::kF32);
  if (!in_f32.ok()) {
    fmt::print(stderr, "{}\n", in_f32.error().message);
    return 1;
  }
  auto exact = kernels::make_backend(name, threads, kernels::Precision::kExact);
  auto rounding = kernels::make_backend(name, threads, kernels::Precision::kDefault);
  fmt::print(
      "{}, {} threads, {}: GFLOP/s (GB/s of weights) at float32 | exact, file's order | exact, packed | default, "
      "file's order | default, packed\n",
      cpu_name(), threads.num_threads(), (*in_f32)->name());
  for (const Dtype dtype : {Dtype::kMxfp4, Dtype::kQ8_0}) {
    const Matrix matrix(dtype);
    std::vector<std::byte> memory((*rounding)->packed_bytes(matrix.rows) + 64);
    void* aligned = memory.data();
    size_t room = memory.size();
    std::align(64, 1, aligned, room);
    const bool packs = memory.size() > 64;
    if (packs) (*rounding)->pack(matrix.rows, static_cast<std::byte*>(aligned));
    const WeightRows packed = (*rounding)->packed_rows(matrix.rows, static_cast<std::byte*>(aligned));
    for (const uint32_t inputs : kInputs) {
      const auto rate = [&](Backend& backend, const WeightRows& w) {
        const double seconds = seconds_of(backend, w, inputs);
        return fmt::format("{:6.0f} ({:4.1f})", 2e-9 * kRows * kCols * inputs / seconds,
                           1e-9 * static_cast<double>(matrix.bytes.size()) / seconds);
      };
      fmt::print("{:<6} {:>3} inputs  {} | {} | {} | {} | {}\n", dtype_name(dtype), inputs, rate(**in_f32, matrix.rows),
                 rate(**exact, matrix.rows), packs ? rate(**exact, packed) : "-", rate(**rounding, matrix.rows),
                 packs ? rate(**rounding, packed) : "-");
    }
  }
  return 0;
}

}  // namespace
}  // namespace gossamer

int main(int argc, char** argv) {
  unsigned threads = 0;
  std::string_view name;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::string_view(argv[i]) == "--threads") threads = static_cast<unsigned>(std::stoul(argv[i + 1]));
    if (std::string_view(argv[i]) == "--backend") name = argv[i + 1];
  }
  return gossamer::main_with(threads, name);
}
