#include "kernels/ref/ref_backend.h"
#include "kernels/unembed_columns.h"

namespace gossamer::kernels {

void RefBackend::unembed(const UnembedArgs& args) {
  count(Op::kUnembed, true);
  std::vector<float> all(args.w.rows);
  for (size_t t = 0; t < args.rows.size(); ++t) {
    const UnembedRow& row = args.rows[t];
    float* logits = row.top ? all.data() : row.logits;
    std::vector<float> scratch(args.w.cols);
    for (uint32_t n = 0; n < args.w.rows; ++n)
      logits[n] = static_cast<float>(ref::dot_row(args.w, n, args.x + t * args.w.cols, scratch.data()));
    forbid_columns(row, 0, {logits, args.w.rows});
    if (!row.top) continue;
    if (row.wants_log_sum_exp) row.top->log_sum_exp = log_sum_exp(all);
    change_columns(row, 0, all);
    TopCollector collector;
    collector.reset(row.top_k);
    collector.add(0, all);
    row.top->best = best_of({collector.candidates().begin(), collector.candidates().end()}, row.top_k);
  }
}

}  // namespace gossamer::kernels
