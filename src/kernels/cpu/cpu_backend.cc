#include "kernels/cpu/cpu_backend.h"

#include <algorithm>

#include "kernels/read_row.h"

namespace gossamer::kernels {
namespace {

/// Rows of a matrix that one chunk of a loop computes: some tens of microseconds of streaming, and a multiple of
/// kPanelRows.
constexpr uint32_t kChunkRows = 64;

uint32_t num_chunks(uint32_t items, uint32_t chunk) {
  return (items + chunk - 1) / chunk;
}

}  // namespace

CpuBackend::CpuBackend(const IsaKernels& isa, ThreadPool& threads)
    : isa_(isa), threads_(threads), scratch_(threads.num_threads()) {}

float* CpuBackend::scratch(unsigned thread, uint64_t floats) {
  auto& memory = scratch_[thread];
  if (memory.size() < floats) memory.resize(floats);
  return memory.data();
}

void CpuBackend::embed(const EmbedArgs& args) {
  count(Op::kEmbed, true);
  // One row a token: not worth a vector loop of its own.
  for (size_t t = 0; t < args.tokens.size(); ++t) read_row(args.table, args.tokens[t], args.out + t * args.table.cols);
}

void CpuBackend::rmsnorm(const RmsNormArgs& args) {
  count(Op::kRmsNorm, true);
  threads_.parallel_for(args.num_tokens, [&](uint32_t t, unsigned) {
    const size_t row = static_cast<size_t>(t) * args.width;
    isa_.rmsnorm(args.x + row, args.weight, args.eps, args.width, args.out + row);
  });
}

void CpuBackend::matmul(const MatmulArgs& args) {
  const bool native = isa_.takes_gemm(args.w);
  count(Op::kMatmul, native);
  if (!native) return ref_.matmul(args);
  input_rows_.resize(args.num_tokens);
  output_rows_.resize(args.num_tokens);
  for (uint32_t t = 0; t < args.num_tokens; ++t) {
    input_rows_[t] = args.x + static_cast<size_t>(t) * args.w.cols;
    output_rows_[t] = args.out + t * args.out_stride;
  }
  const GemmArgs gemm{args.w, args.bias, input_rows_.data(), output_rows_.data(), 0, args.num_tokens, args.accumulate};
  threads_.parallel_for(num_chunks(args.w.rows, kChunkRows), [&](uint32_t chunk, unsigned thread) {
    const uint32_t begin = chunk * kChunkRows, end = std::min(begin + kChunkRows, args.w.rows);
    isa_.gemm(gemm, begin, end, scratch(thread, gemm_panel_floats(args.w.cols)));
  });
}

void CpuBackend::rope(const RopeArgs& args) {
  count(Op::kRope, true);
  // A few thousand multiplications a token; the plain loop is already vectorised by the compiler.
  ref_.rope(args);
}

void CpuBackend::attention(const AttentionArgs& args) {
  const bool native = isa_.takes_attend(args.head_dim);
  count(Op::kAttention, native);
  if (!native) return ref_.attention(args);
  const uint32_t group = args.num_heads / args.num_kv_heads;
  const uint64_t kv_stride = static_cast<uint64_t>(args.num_kv_heads) * args.head_dim;
  threads_.parallel_for(
      static_cast<uint32_t>(args.rows.size()) * args.num_kv_heads, [&](uint32_t chunk, unsigned thread) {
        const uint32_t t = chunk / args.num_kv_heads, kv_head = chunk % args.num_kv_heads;
        const AttentionRow& row = args.rows[t];
        const uint32_t first = args.window && row.num_positions > args.window ? row.num_positions - args.window : 0;
        const uint64_t offset = first * kv_stride + static_cast<uint64_t>(kv_head) * args.head_dim;
        const uint64_t head = static_cast<uint64_t>(kv_head) * group;
        AttendArgs attend{};
        attend.q = args.q + t * args.q_stride + head * args.head_dim;
        attend.k = row.k + offset;
        attend.v = row.v + offset;
        attend.kv_stride = kv_stride;
        attend.num_positions = row.num_positions - first;
        attend.group = group;
        attend.head_dim = args.head_dim;
        attend.sinks = args.sinks + head;
        attend.scale = args.scale;
        attend.scores = scratch(thread, static_cast<uint64_t>(group) * attend.num_positions);
        attend.out = args.out + (static_cast<uint64_t>(t) * args.num_heads + head) * args.head_dim;
        isa_.attend(attend);
      });
}

void CpuBackend::router(const RouterArgs& args) {
  count(Op::kRouter, true);
  // 32 or 128 logits a token: the plain selection costs microseconds.
  ref_.router(args);
}

void CpuBackend::experts(const ExpertsArgs& args) {
  const bool native =
      isa_.takes_gemm(args.gate.first) && isa_.takes_gemm(args.up.first) && isa_.takes_gemm(args.down.first);
  count(Op::kExperts, native);
  if (!native) return ref_.experts(args);
  plan_experts({args.indices, static_cast<size_t>(args.num_tokens) * args.active}, args.gate.experts, plan_);
  expand_experts(args);
  contract_experts(args);
  const uint32_t hidden = args.down.first.rows;
  // Each token adds its own A rows in the order of the router, whatever else is in the batch.
  std::vector<const float*> rows(plan_.slots.size());
  for (size_t place = 0; place < plan_.slots.size(); ++place)
    rows[plan_.slots[place]] = contracted_.data() + place * hidden;
  threads_.parallel_for(args.num_tokens, [&](uint32_t t, unsigned) {
    const size_t slot = static_cast<size_t>(t) * args.active;
    isa_.add_weighted(rows.data() + slot, args.weights + slot, args.active, hidden,
                      args.out + static_cast<size_t>(t) * hidden);
  });
}

void CpuBackend::expand_experts(const ExpertsArgs& args) {
  const uint32_t width = args.gate.first.rows, hidden = args.gate.first.cols;
  const uint32_t chunks = num_chunks(width, kChunkRows);
  inner_.resize(plan_.slots.size() * width);
  input_rows_.resize(plan_.slots.size());
  for (size_t place = 0; place < plan_.slots.size(); ++place)
    input_rows_[place] = args.x + static_cast<size_t>(plan_.slots[place] / args.active) * hidden;
  threads_.parallel_for(static_cast<uint32_t>(plan_.groups.size()) * chunks, [&](uint32_t task, unsigned thread) {
    const ExpertPlan::Group& group = plan_.groups[task / chunks];
    const uint32_t begin = task % chunks * kChunkRows, end = std::min(begin + kChunkRows, width);
    const uint32_t inputs = group.end - group.begin;
    // Scratch: the panel, then gate and up of this chunk for each input, then the two lists of their rows.
    const uint64_t panel_floats = gemm_panel_floats(hidden), half = static_cast<uint64_t>(inputs) * kChunkRows;
    float* panel = scratch(thread, panel_floats + 2 * half);
    float *gates = panel + panel_floats, *ups = gates + half;
    std::vector<float*> rows(2 * inputs);
    for (uint32_t i = 0; i < inputs; ++i) {
      rows[i] = gates + static_cast<size_t>(i) * kChunkRows;
      rows[inputs + i] = ups + static_cast<size_t>(i) * kChunkRows;
    }
    const size_t bias = static_cast<size_t>(group.expert) * width;
    const float* const* inputs_begin = input_rows_.data() + group.begin;
    isa_.gemm({args.gate.expert(group.expert), args.gate_bias + bias, inputs_begin, rows.data(), begin, inputs, false},
              begin, end, panel);
    isa_.gemm(
        {args.up.expert(group.expert), args.up_bias + bias, inputs_begin, rows.data() + inputs, begin, inputs, false},
        begin, end, panel);
    for (uint32_t i = 0; i < inputs; ++i)
      isa_.swiglu(gates + static_cast<size_t>(i) * kChunkRows, ups + static_cast<size_t>(i) * kChunkRows, end - begin,
                  args.limit, inner_.data() + static_cast<size_t>(group.begin + i) * width + begin);
  });
}

void CpuBackend::contract_experts(const ExpertsArgs& args) {
  const uint32_t width = args.down.first.cols, hidden = args.down.first.rows;
  const uint32_t chunks = num_chunks(hidden, kChunkRows);
  contracted_.resize(plan_.slots.size() * hidden);
  output_rows_.resize(plan_.slots.size());
  for (size_t place = 0; place < plan_.slots.size(); ++place) {
    input_rows_[place] = inner_.data() + place * width;
    output_rows_[place] = contracted_.data() + place * hidden;
  }
  threads_.parallel_for(static_cast<uint32_t>(plan_.groups.size()) * chunks, [&](uint32_t task, unsigned thread) {
    const ExpertPlan::Group& group = plan_.groups[task / chunks];
    const uint32_t begin = task % chunks * kChunkRows, end = std::min(begin + kChunkRows, hidden);
    const GemmArgs gemm{args.down.expert(group.expert),
                        args.down_bias + static_cast<size_t>(group.expert) * hidden,
                        input_rows_.data() + group.begin,
                        output_rows_.data() + group.begin,
                        0,
                        group.end - group.begin,
                        false};
    isa_.gemm(gemm, begin, end, scratch(thread, gemm_panel_floats(width)));
  });
}

}  // namespace gossamer::kernels
