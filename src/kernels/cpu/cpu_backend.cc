#include "kernels/cpu/cpu_backend.h"

#include <algorithm>
#include <chrono>

#include "kernels/read_row.h"

namespace gossamer::kernels {
namespace {

/// Rows of a matrix that one chunk of a loop computes: some tens of microseconds of streaming, and a multiple of
/// kPanelRows. A chunk's first kilobytes come late, so longer ones stream faster; many threads need more of them to
/// share the work evenly.
uint32_t rows_of_chunk(unsigned num_threads) {
  return num_threads <= 4 ? 128 : 64;
}

/// Inputs that a matrix meets in 15 bits while its weights come from memory: finer at no cost. For more, arithmetic
/// takes the time, and 8 bits halve it.
constexpr uint32_t kFreeFineInputs = 2;
/// Inputs from which on tiles pay, where there are any: a tile has 16, but takes little longer than 2 inputs without
/// it.
constexpr uint32_t kLeastTileInputs = 5;

/// Tokens of a row whose attention one task computes: 8 tokens of 8 heads keep 16 KB of state beside 64 KB of keys and
/// values.
constexpr uint32_t kUnitTokens = 8;
/// Tokens whose keys and values one task puts away: some tens of microseconds.
constexpr uint32_t kStoreTokens = 16;
constexpr uint32_t kRopeTokens = 16;

/// Whether inputs rounded for one of the matrices are rounded for the other, and the same loops take both.
bool same_format(const WeightRows& a, const WeightRows& b) {
  return a.dtype == b.dtype && a.layout == b.layout && a.packed == b.packed && a.cols == b.cols;
}

uint32_t num_chunks(uint64_t items, uint32_t chunk) {
  return static_cast<uint32_t>((items + chunk - 1) / chunk);
}

}  // namespace

CpuBackend::CpuBackend(const IsaKernels& isa, ThreadPool& threads, Precision precision)
    : isa_(isa),
      threads_(threads),
      precision_(precision),
      chunk_rows_(rows_of_chunk(threads.num_threads())),
      scratch_(threads.num_threads()) {}

float* CpuBackend::scratch(unsigned thread, uint64_t floats) {
  auto& memory = scratch_[thread];
  if (memory.size() < floats) memory.resize(floats);
  return memory.data();
}

bool CpuBackend::takes_integers(const WeightRows& w) const {
  return precision_ != Precision::kF32 && isa_.takes_integers(w);
}

uint32_t CpuBackend::input_bits(uint32_t num_inputs) const {
  return precision_ == Precision::kDefault && num_inputs > kFreeFineInputs ? 8 : 15;
}

bool CpuBackend::expands_in_integers(const ExpertsArgs& args) const {
  return stored_alike(args.gate, args.up) && takes_integers(args.gate.first);
}

uint64_t CpuBackend::packed_bytes(const WeightRows& w) const {
  return takes_integers(w) ? num_chunks(w.rows, isa_.panel_rows) * isa_.packed_panel_bytes(w) : 0;
}

std::string CpuBackend::packed_layout_id() const {
  return "panels-" + std::to_string(isa_.panel_rows) + "-1";
}

void CpuBackend::pack(const WeightRows& w, std::byte* out) {
  constexpr uint32_t kChunkPanels = 4;
  const uint32_t panels = num_chunks(w.rows, isa_.panel_rows);
  const uint64_t panel_bytes = isa_.packed_panel_bytes(w);
  threads_.parallel_for(num_chunks(panels, kChunkPanels), [&](uint32_t chunk, unsigned) {
    const uint32_t end = std::min((chunk + 1) * kChunkPanels, panels);
    for (uint32_t panel = chunk * kChunkPanels; panel < end; ++panel)
      isa_.pack_panel(w, panel * isa_.panel_rows, out + panel * panel_bytes);
  });
}

WeightRows CpuBackend::packed_rows(const WeightRows& w, const std::byte* copy) const {
  if (!takes_integers(w)) return w;
  WeightRows packed = w;
  packed.data = copy;
  packed.scales = nullptr;
  packed.row_stride_bytes = packed.scale_stride_bytes = 0;
  packed.packed = true;
  return packed;
}

ArithmeticLimits CpuBackend::measure_arithmetic() {
  return {most_flops(isa_.float_peak, isa_.float_peak_flops), most_flops(isa_.rounded_peak, isa_.rounded_peak_flops)};
}

/// The best of some tries, each of some milliseconds, all threads at once.
double CpuBackend::most_flops(float (*peak)(uint64_t), double flops_of_round) {
  constexpr uint64_t kRounds = 200'000;
  constexpr int kTries = 20;
  const uint32_t chunks = 4 * threads_.num_threads();
  std::vector<float> results(chunks);  // looked at by nobody, but the compiler cannot know
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    const auto start = std::chrono::steady_clock::now();
    threads_.parallel_for(chunks, [&](uint32_t chunk, unsigned) { results[chunk] = peak(kRounds); });
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(best, flops_of_round * static_cast<double>(kRounds * chunks) / seconds);
  }
  return best;
}

void CpuBackend::quantize(const WeightRows& w, const float* x, uint32_t num_rows) {
  const uint64_t bytes = uint64_t{num_rows} * (w.cols / 32) * kQuantizedBlockBytes;
  if (quantized_memory_.size() < bytes) quantized_memory_.resize(bytes);
  quantized_.resize(num_rows);
  threads_.parallel_for(num_rows, [&](uint32_t row, unsigned) {
    quantized_[row] = quantized_row_at(quantized_memory_.data(), row, w.cols);
    isa_.quantize(x + uint64_t{row} * w.cols, w, quantized_[row]);
  });
}

bool CpuBackend::takes_tiles(const WeightRows& w, uint32_t num_inputs) const {
  return precision_ == Precision::kDefault && num_inputs >= kLeastTileInputs && isa_.takes_tiles && isa_.takes_tiles(w);
}

void CpuBackend::to_bf16(const WeightRows& w, std::span<const float* const> rows) {
  constexpr uint64_t kBehind = 15;  // a tile reads 16 rows, whatever it is of which they are the last
  const uint64_t row_bytes = uint64_t{w.cols} * 2;
  if (bf16_.size() < (rows.size() + kBehind) * row_bytes) bf16_.resize((rows.size() + kBehind) * row_bytes);
  threads_.parallel_for(static_cast<uint32_t>(rows.size()),
                        [&](uint32_t row, unsigned) { isa_.to_bf16(rows[row], w, bf16_.data() + row * row_bytes); });
}

/// What any product with w may need.
uint64_t CpuBackend::gemm_scratch_floats(const WeightRows& w) const {
  uint64_t floats = isa_.takes_gemm(w) ? gemm_panel_floats(w.cols) : 0;
  if (takes_integers(w)) floats = std::max<uint64_t>(floats, num_chunks(isa_.int_scratch_bytes(w), sizeof(float)));
  if (takes_tiles(w, kLeastTileInputs))
    floats = std::max<uint64_t>(floats, num_chunks(isa_.tile_scratch_bytes(w), sizeof(float)));
  return floats;
}

void CpuBackend::gemm(const GemmArgs& args, uint32_t row_begin, uint32_t row_end, float* scratch) const {
  if (args.bf16_x) return isa_.tile_gemm(args, row_begin, row_end, scratch);
  args.quantized ? isa_.int_gemm(args, row_begin, row_end, scratch) : isa_.gemm(args, row_begin, row_end, scratch);
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
  matmul_together({&args, 1});
}

CpuBackend::Product CpuBackend::product_with(const WeightRows& w, uint32_t num_inputs) const {
  if (takes_tiles(w, num_inputs)) return Product::kTiles;
  if (takes_integers(w)) return Product::kIntegers;
  return isa_.takes_gemm(w) ? Product::kFloat : Product::kPlain;
}

void CpuBackend::prepare_inputs(Product product, const WeightRows& w, const float* x, uint32_t num_inputs) {
  input_rows_.resize(num_inputs);
  for (uint32_t t = 0; t < num_inputs; ++t) input_rows_[t] = x + static_cast<size_t>(t) * w.cols;
  if (product == Product::kIntegers) quantize(w, x, num_inputs);
  if (product == Product::kTiles) to_bf16(w, input_rows_);
}

GemmArgs CpuBackend::gemm_args(Product product, const WeightRows& w, uint32_t num_inputs) const {
  GemmArgs args{};
  args.w = w;
  args.x = input_rows_.data();
  args.num_x = num_inputs;
  args.input_bits = input_bits(num_inputs);
  if (product == Product::kIntegers) args.quantized = quantized_.data();
  if (product == Product::kTiles) args.bf16_x = bf16_.data();
  return args;
}

/// Inputs are rounded once, and all matrices are one list of chunks: no thread waits at the end of the first.
void CpuBackend::matmul_together(std::span<const MatmulArgs> products) {
  const MatmulArgs& first = products.front();
  for (const MatmulArgs& args : products)
    if (!same_format(args.w, first.w)) return Backend::matmul_together(products);
  const Product kind = product_with(first.w, first.num_tokens);
  const bool native = kind != Product::kPlain;
  for (size_t i = 0; i < products.size(); ++i) count(Op::kMatmul, native, native && kind != Product::kFloat);
  if (!native) {
    for (const MatmulArgs& args : products) ref_.matmul(args);
    return;
  }
  prepare_inputs(kind, first.w, first.x, first.num_tokens);
  output_rows_.resize(products.size() * first.num_tokens);
  for (uint32_t t = 0; t < first.num_tokens; ++t)
    for (size_t i = 0; i < products.size(); ++i)
      output_rows_[i * first.num_tokens + t] = products[i].out + t * products[i].out_stride;
  uint32_t chunks = 0;
  for (const MatmulArgs& args : products) chunks += num_chunks(args.w.rows, chunk_rows_);
  threads_.parallel_for(chunks, [&](uint32_t chunk, unsigned thread) {
    size_t i = 0;
    for (; chunk >= num_chunks(products[i].w.rows, chunk_rows_); ++i)
      chunk -= num_chunks(products[i].w.rows, chunk_rows_);
    const MatmulArgs& args = products[i];
    GemmArgs product = gemm_args(kind, args.w, args.num_tokens);
    product.bias = args.bias;
    product.out = output_rows_.data() + i * first.num_tokens;
    product.accumulate = args.accumulate;
    const uint32_t begin = chunk * chunk_rows_, end = std::min(begin + chunk_rows_, args.w.rows);
    gemm(product, begin, end, scratch(thread, gemm_scratch_floats(args.w)));
  });
}

void CpuBackend::rope(const RopeArgs& args) {
  count(Op::kRope, true);
  // A few thousand multiplications a token; the plain loop is already vectorised by the compiler.
  threads_.parallel_for(num_chunks(args.num_tokens, kRopeTokens), [&](uint32_t chunk, unsigned) {
    RopeArgs part = args;
    part.x += uint64_t{chunk} * kRopeTokens * args.token_stride;
    part.positions += chunk * kRopeTokens;
    part.num_tokens = std::min(kRopeTokens, args.num_tokens - chunk * kRopeTokens);
    ref::rope(part);
  });
}

void CpuBackend::store_kv(const StoreKvArgs& args) {
  count(Op::kStoreKv, true);
  locate_tokens(args.rows);
  threads_.parallel_for(num_chunks(static_cast<uint32_t>(tokens_.size()), kStoreTokens), [&](uint32_t chunk, unsigned) {
    const size_t end = std::min<size_t>((chunk + size_t{1}) * kStoreTokens, tokens_.size());
    for (size_t t = size_t{chunk} * kStoreTokens; t < end; ++t)
      write_token(args.kv, tokens_[t].row->blocks[tokens_[t].position / kKvBlockTokens],
                  tokens_[t].position % kKvBlockTokens, args.k + t * args.stride, args.v + t * args.stride);
  });
}

/// Notes row and position of every token of the batch.
void CpuBackend::locate_tokens(std::span<const CacheRow> rows) {
  tokens_.clear();
  for (const CacheRow& row : rows)
    for (uint32_t p = row.start; p < row.start + row.length; ++p) tokens_.push_back({&row, p});
}

void CpuBackend::attention(const AttentionArgs& args) {
  const bool native = isa_.takes_attend(args.kv.head_dim);
  count(Op::kAttention, native, native && rounds_attention(args.kv));
  if (!native) return ref_.attention(args);
  locate_tokens(args.rows);
  list_attention_units(args);
  // A unit that is more than a thread's share (a long sequence in few rows) is cut into its chunks, so that every
  // thread has some of it. Same sums, same order.
  uint64_t chunks = 0, work = 0, largest = 0;
  for (const AttentionUnit& unit : units_) {
    const uint64_t of_unit = unit.end_chunk - unit.begin_chunk;
    chunks += of_unit;
    work += of_unit * unit.num_tokens;
    largest = std::max(largest, of_unit * unit.num_tokens);
  }
  constexpr uint64_t kMostSplitChunks = 4096;  // of 8 tokens and 8 heads: 66 MB of states
  if (largest * threads_.num_threads() > work && chunks > units_.size() && chunks <= kMostSplitChunks)
    attend_split(args, chunks);
  else
    threads_.parallel_for(static_cast<uint32_t>(units_.size()),
                          [&](uint32_t unit, unsigned thread) { attend_unit(args, units_[unit], thread); });
}

bool CpuBackend::rounds_attention(const KvLayout& kv) const {
  return precision_ != Precision::kF32 && kv.dtype == KvDtype::kBf16 && isa_.attend_chunk_rounded;
}

/// Tokens of a row that share a task, so that keys and values stay in the L2 cache from one to the next.
void CpuBackend::list_attention_units(const AttentionArgs& args) {
  units_.clear();
  uint32_t token = 0;
  for (const CacheRow& row : args.rows)
    for (uint32_t done = 0; done < row.length; done += kUnitTokens) {
      const uint32_t tokens = std::min(kUnitTokens, row.length - done);
      const uint32_t first = row.start + done, last = first + tokens - 1;
      const uint32_t visible = args.window && first >= args.window ? first - args.window + 1 : 0;
      for (uint32_t head = 0; head < args.kv.kv_heads; ++head)
        units_.push_back({token, tokens, head, visible / kAttentionChunkTokens, last / kAttentionChunkTokens + 1});
      token += tokens;
    }
}

/// What one token of a unit sees of a chunk; nothing: begin >= end.
AttendArgs CpuBackend::attend_args(const AttentionArgs& args, const AttentionUnit& unit, uint32_t token, uint32_t chunk,
                                   float* scores) const {
  const auto [row, position] = tokens_[token];
  const uint32_t visible = args.window && position >= args.window ? position - args.window + 1 : 0;
  AttendArgs attend{};
  attend.group = args.num_heads / args.kv.kv_heads;
  attend.head_dim = args.kv.head_dim;
  attend.q = args.q + token * args.q_stride + static_cast<size_t>(unit.kv_head) * attend.group * attend.head_dim;
  attend.blocks = row->blocks;
  attend.dtype = args.kv.dtype;
  attend.keys = args.kv.keys(unit.kv_head);
  attend.values = args.kv.values(unit.kv_head);
  if (args.kv.dtype == KvDtype::kInt8) {
    attend.key_scales = args.kv.key_scales(unit.kv_head);
    attend.value_scales = args.kv.value_scales(unit.kv_head);
  }
  attend.begin = std::max(visible, chunk * kAttentionChunkTokens);
  attend.end = std::min(position + 1, (chunk + 1) * kAttentionChunkTokens);
  attend.scale = args.scale;
  attend.scores = scores;
  return attend;
}

namespace {

uint64_t state_floats(uint32_t group, uint32_t head_dim) {
  return static_cast<uint64_t>(group) * (head_dim + 2);
}

AttentionState state_at(float* memory, uint32_t group) {
  return {memory, memory + group, memory + 2 * static_cast<size_t>(group)};
}

/// The state of a token that has seen its sink and nothing else.
void begin_state(const AttentionState& state, const float* sinks, uint32_t group, uint32_t head_dim) {
  std::copy_n(sinks, group, state.maximum);
  std::fill_n(state.sum, group, 1.0f);
  std::fill_n(state.mix, static_cast<size_t>(group) * head_dim, 0.0f);
}

void finish_state(const AttentionState& state, uint32_t group, uint32_t head_dim, float* out) {
  for (uint32_t h = 0; h < group; ++h)
    for (uint32_t i = 0; i < head_dim; ++i) out[h * head_dim + i] = state.mix[h * head_dim + i] / state.sum[h];
}

}  // namespace

void CpuBackend::attend_unit(const AttentionArgs& args, const AttentionUnit& unit, unsigned thread) {
  const uint32_t group = args.num_heads / args.kv.kv_heads, dim = args.kv.head_dim;
  const uint64_t floats = state_floats(group, dim), head = static_cast<uint64_t>(unit.kv_head) * group;
  float* scores = scratch(thread, group * kAttentionChunkTokens + (1 + unit.num_tokens) * floats);
  float* memory = scores + group * kAttentionChunkTokens;
  const AttentionState of_chunk = state_at(memory, group);
  const auto attend_chunk = rounds_attention(args.kv) ? isa_.attend_chunk_rounded : isa_.attend_chunk;
  const auto of_token = [&](uint32_t i) { return state_at(memory + (1 + i) * floats, group); };
  for (uint32_t i = 0; i < unit.num_tokens; ++i) begin_state(of_token(i), args.sinks + head, group, dim);
  for (uint32_t chunk = unit.begin_chunk; chunk < unit.end_chunk; ++chunk)
    for (uint32_t i = 0; i < unit.num_tokens; ++i) {
      const AttendArgs attend = attend_args(args, unit, unit.first_token + i, chunk, scores);
      if (attend.begin >= attend.end) continue;
      attend_chunk(attend, of_chunk);
      isa_.merge_attention(group, dim, of_chunk, of_token(i));
    }
  for (uint32_t i = 0; i < unit.num_tokens; ++i)
    finish_state(of_token(i), group, dim,
                 args.out + (static_cast<uint64_t>(unit.first_token + i) * args.num_heads + head) * dim);
}

/// Every chunk of every token apart, then the chunks of each token in their order.
void CpuBackend::attend_split(const AttentionArgs& args, uint64_t num_unit_chunks) {
  const uint32_t group = args.num_heads / args.kv.kv_heads, dim = args.kv.head_dim;
  const uint64_t floats = state_floats(group, dim);
  struct Task {
    const AttentionUnit* unit;
    uint32_t chunk;
    float* states;  // one for each token of the unit
  };
  std::vector<Task> tasks;
  tasks.reserve(num_unit_chunks);
  uint64_t num_states = 0;
  for (const AttentionUnit& unit : units_) num_states += uint64_t{unit.end_chunk - unit.begin_chunk} * unit.num_tokens;
  if (states_.size() < num_states * floats) states_.resize(num_states * floats);
  float* states = states_.data();
  for (const AttentionUnit& unit : units_)
    for (uint32_t chunk = unit.begin_chunk; chunk < unit.end_chunk; ++chunk, states += unit.num_tokens * floats)
      tasks.push_back({&unit, chunk, states});
  const auto attend_chunk = rounds_attention(args.kv) ? isa_.attend_chunk_rounded : isa_.attend_chunk;
  threads_.parallel_for(static_cast<uint32_t>(tasks.size()), [&](uint32_t index, unsigned thread) {
    const Task& task = tasks[index];
    float* scores = scratch(thread, group * kAttentionChunkTokens);
    for (uint32_t i = 0; i < task.unit->num_tokens; ++i) {
      const AttendArgs attend = attend_args(args, *task.unit, task.unit->first_token + i, task.chunk, scores);
      if (attend.begin < attend.end) attend_chunk(attend, state_at(task.states + i * floats, group));
    }
  });

  std::vector<float> memory(floats);
  const AttentionState sum = state_at(memory.data(), group);
  size_t first_task = 0;
  for (const AttentionUnit& unit : units_) {
    const uint64_t head = static_cast<uint64_t>(unit.kv_head) * group;
    for (uint32_t i = 0; i < unit.num_tokens; ++i) {
      begin_state(sum, args.sinks + head, group, dim);
      for (uint32_t chunk = unit.begin_chunk; chunk < unit.end_chunk; ++chunk) {
        const AttendArgs attend = attend_args(args, unit, unit.first_token + i, chunk, nullptr);
        if (attend.begin >= attend.end) continue;
        float* of_chunk = tasks[first_task + chunk - unit.begin_chunk].states + i * floats;
        isa_.merge_attention(group, dim, state_at(of_chunk, group), sum);
      }
      finish_state(sum, group, dim,
                   args.out + (static_cast<uint64_t>(unit.first_token + i) * args.num_heads + head) * dim);
    }
    first_task += unit.end_chunk - unit.begin_chunk;
  }
}

void CpuBackend::router(const RouterArgs& args) {
  count(Op::kRouter, true);
  // 32 or 128 logits a token: the plain selection costs microseconds.
  ref_.router(args);
}

void CpuBackend::experts(const ExpertsArgs& args) {
  const auto takes = [&](const ExpertRows& rows) { return takes_integers(rows.first) || isa_.takes_gemm(rows.first); };
  const bool native = takes(args.gate) && takes(args.up) && takes(args.down);
  count(Op::kExperts, native, expands_in_integers(args) && takes_integers(args.down.first));
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

/// Slots of the expert that has most of them.
uint32_t CpuBackend::largest_group() const {
  uint32_t largest = 0;
  for (const ExpertPlan::Group& group : plan_.groups) largest = std::max(largest, group.end - group.begin);
  return largest;
}

void CpuBackend::expand_experts(const ExpertsArgs& args) {
  const uint32_t width = args.gate.first.rows, hidden = args.gate.first.cols;
  const uint32_t chunks = num_chunks(width, chunk_rows_);
  inner_.resize(plan_.slots.size() * width);
  input_rows_.resize(plan_.slots.size());
  for (size_t place = 0; place < plan_.slots.size(); ++place)
    input_rows_[place] = args.x + static_cast<size_t>(plan_.slots[place] / args.active) * hidden;
  const bool integers = expands_in_integers(args);
  const uint64_t bf16_row_bytes = uint64_t{hidden} * 2;
  if (integers && takes_tiles(args.gate.first, largest_group())) to_bf16(args.gate.first, input_rows_);
  if (integers) {
    quantize(args.gate.first, args.x, args.num_tokens);
    quantized_slots_.resize(plan_.slots.size());
    for (size_t place = 0; place < plan_.slots.size(); ++place)
      quantized_slots_[place] = quantized_[plan_.slots[place] / args.active];
  }
  threads_.parallel_for(static_cast<uint32_t>(plan_.groups.size()) * chunks, [&](uint32_t task, unsigned thread) {
    const ExpertPlan::Group& group = plan_.groups[task / chunks];
    const uint32_t begin = task % chunks * chunk_rows_, end = std::min(begin + chunk_rows_, width);
    const uint32_t inputs = group.end - group.begin;
    // Scratch: that of the product, then gate and up of this chunk for each input, then the two lists of their rows.
    const uint64_t half = static_cast<uint64_t>(inputs) * chunk_rows_;
    const uint64_t gemm_floats = std::max(gemm_scratch_floats(args.gate.first), gemm_scratch_floats(args.up.first));
    float* of_gemm = scratch(thread, gemm_floats + 2 * half);
    float *gates = of_gemm + gemm_floats, *ups = gates + half;
    std::vector<float*> rows(2 * inputs);
    for (uint32_t i = 0; i < inputs; ++i) {
      rows[i] = gates + static_cast<size_t>(i) * chunk_rows_;
      rows[inputs + i] = ups + static_cast<size_t>(i) * chunk_rows_;
    }
    const size_t bias = static_cast<size_t>(group.expert) * width;
    GemmArgs product{};
    product.w = args.gate.expert(group.expert);
    product.bias = args.gate_bias + bias;
    product.x = input_rows_.data() + group.begin;
    product.out = rows.data();
    product.out_first_row = begin;
    product.num_x = inputs;
    product.input_bits = input_bits(inputs);
    product.quantized = integers ? quantized_slots_.data() + group.begin : nullptr;
    if (integers && takes_tiles(args.gate.first, inputs)) product.bf16_x = bf16_.data() + group.begin * bf16_row_bytes;
    gemm(product, begin, end, of_gemm);
    product.w = args.up.expert(group.expert);
    product.bias = args.up_bias + bias;
    product.out = rows.data() + inputs;
    gemm(product, begin, end, of_gemm);
    for (uint32_t i = 0; i < inputs; ++i)
      isa_.swiglu(gates + static_cast<size_t>(i) * chunk_rows_, ups + static_cast<size_t>(i) * chunk_rows_, end - begin,
                  args.limit, inner_.data() + static_cast<size_t>(group.begin + i) * width + begin);
  });
}

void CpuBackend::contract_experts(const ExpertsArgs& args) {
  const uint32_t width = args.down.first.cols, hidden = args.down.first.rows;
  const uint32_t chunks = num_chunks(hidden, chunk_rows_);
  contracted_.resize(plan_.slots.size() * hidden);
  output_rows_.resize(plan_.slots.size());
  for (size_t place = 0; place < plan_.slots.size(); ++place) {
    input_rows_[place] = inner_.data() + place * width;
    output_rows_[place] = contracted_.data() + place * hidden;
  }
  const bool integers = takes_integers(args.down.first);
  const uint64_t bf16_row_bytes = uint64_t{width} * 2;
  if (takes_tiles(args.down.first, largest_group())) to_bf16(args.down.first, input_rows_);
  if (integers) quantize(args.down.first, inner_.data(), static_cast<uint32_t>(plan_.slots.size()));
  threads_.parallel_for(static_cast<uint32_t>(plan_.groups.size()) * chunks, [&](uint32_t task, unsigned thread) {
    const ExpertPlan::Group& group = plan_.groups[task / chunks];
    const uint32_t begin = task % chunks * chunk_rows_, end = std::min(begin + chunk_rows_, hidden);
    GemmArgs product{};
    product.w = args.down.expert(group.expert);
    product.bias = args.down_bias + static_cast<size_t>(group.expert) * hidden;
    product.x = input_rows_.data() + group.begin;
    product.out = output_rows_.data() + group.begin;
    product.num_x = group.end - group.begin;
    product.input_bits = input_bits(product.num_x);
    product.quantized = integers ? quantized_.data() + group.begin : nullptr;
    if (takes_tiles(args.down.first, product.num_x)) product.bf16_x = bf16_.data() + group.begin * bf16_row_bytes;
    gemm(product, begin, end, scratch(thread, gemm_scratch_floats(args.down.first)));
  });
}

}  // namespace gossamer::kernels
