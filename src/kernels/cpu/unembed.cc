#include "kernels/cpu/cpu_backend.h"
#include "kernels/unembed_columns.h"

namespace gossamer::kernels {

/// Columns of the vocabulary in chunks: the logits of a chunk are masked, summed, changed and sifted by the thread that
/// has just computed them. Where only the best are wanted they never leave its cache: a row of 201,088 logits is 0.8
/// MB.
void CpuBackend::unembed(const UnembedArgs& args) {
  const auto num_rows = static_cast<uint32_t>(args.rows.size());
  const Product kind = product_with(args.w, num_rows);
  count(Op::kUnembed, kind != Product::kPlain, kind == Product::kIntegers || kind == Product::kTiles);
  if (kind == Product::kPlain) return ref_.unembed(args);
  prepare_inputs(kind, args.w, args.x, num_rows);

  const uint32_t stretches = (args.w.rows + ExpSum::kStretch - 1) / ExpSum::kStretch;
  exp_sums_.resize(static_cast<size_t>(num_rows) * stretches);
  collectors_.resize(static_cast<size_t>(threads_.num_threads()) * num_rows);
  for (size_t i = 0; i < collectors_.size(); ++i) collectors_[i].reset(args.rows[i % num_rows].top_k);

  const uint32_t chunks = (args.w.rows + chunk_rows_ - 1) / chunk_rows_;
  threads_.parallel_for(chunks, [&](uint32_t chunk, unsigned thread) {
    const uint32_t begin = chunk * chunk_rows_, end = std::min(begin + chunk_rows_, args.w.rows);
    const uint64_t gemm_floats = gemm_scratch_floats(args.w);
    float* of_gemm = scratch(thread, gemm_floats + uint64_t{num_rows} * chunk_rows_);
    std::vector<float*> out(num_rows);
    for (uint32_t t = 0; t < num_rows; ++t)
      out[t] = args.rows[t].top ? of_gemm + gemm_floats + uint64_t{t} * chunk_rows_ : args.rows[t].logits + begin;
    GemmArgs product = gemm_args(kind, args.w, num_rows);
    product.out = out.data();
    product.out_first_row = begin;
    gemm(product, begin, end, of_gemm);
    for (uint32_t t = 0; t < num_rows; ++t) {
      const UnembedRow& row = args.rows[t];
      const std::span<float> logits(out[t], end - begin);
      forbid_columns(row, begin, logits);
      if (!row.top) continue;
      if (row.wants_log_sum_exp)
        for (uint32_t at = 0; at < logits.size(); at += ExpSum::kStretch)
          exp_sums_[uint64_t{t} * stretches + (begin + at) / ExpSum::kStretch] =
              ExpSum::of_stretch(logits.subspan(at, std::min<size_t>(ExpSum::kStretch, logits.size() - at)));
      change_columns(row, begin, logits);
      collectors_[uint64_t{thread} * num_rows + t].add(begin, logits);
    }
  });

  for (uint32_t t = 0; t < num_rows; ++t) {
    const UnembedRow& row = args.rows[t];
    if (!row.top) continue;
    std::vector<Candidate> candidates;
    for (size_t i = t; i < collectors_.size(); i += num_rows)
      candidates.insert(candidates.end(), collectors_[i].candidates().begin(), collectors_[i].candidates().end());
    row.top->best = best_of(std::move(candidates), row.top_k);
    if (!row.wants_log_sum_exp) continue;
    ExpSum sum;
    for (uint32_t i = 0; i < stretches; ++i) sum.add(exp_sums_[uint64_t{t} * stretches + i]);
    row.top->log_sum_exp = sum.log();
  }
}

}  // namespace gossamer::kernels
