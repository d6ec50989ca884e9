#pragma once
/// A model on disk, opened and checked: every tensor that the forward pass needs, as views into mapped memory, whatever
/// the layout of the file was. Nothing is converted and nothing is copied.

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/mmap_file.h"
#include "base/progress.h"
#include "base/result.h"
#include "checkpoint/model_config.h"
#include "tokenizer/tokenizer.h"

namespace gossamer {

/// A row-major matrix or a vector (rows = 1) in mapped memory. Alignment is whatever the file gives (1 byte is
/// possible).
struct MatrixView {
  Dtype dtype = Dtype::kF32;
  uint64_t rows = 0;
  uint64_t cols = 0;  // elements a row; rows are contiguous, row_bytes(dtype, cols) apart
  const std::byte* data = nullptr;
  uint64_t size_bytes() const { return rows * row_bytes(dtype, cols); }
};

/// The matrices of all experts of one projection, [experts, rows, cols], in MXFP4 (or, in odd GGUF files, another
/// dtype). Row r of expert e is stored as row `e * stored_rows + first_row + r * row_step` of the tensor: gpt-oss' own
/// files interleave gate (first_row 0, step 2) and up (first_row 1, step 2); GGUF keeps them apart (step 1).
struct ExpertMatrixView {
  Dtype dtype = Dtype::kMxfp4;
  Mxfp4Layout layout = Mxfp4Layout::kSplit;  // for kMxfp4
  uint32_t experts = 0;
  uint64_t rows = 0, cols = 0;
  uint64_t stored_rows = 0, first_row = 0, row_step = 1;
  const std::byte* data = nullptr;    // kSplit: codes [experts * stored_rows, cols/32, 16]; else whole rows
  const std::byte* scales = nullptr;  // kSplit: [experts * stored_rows, cols/32]; else null
};

/// A bias of all experts, [experts, rows], with the same row interleaving. dtype F32, BF16 or F16.
struct ExpertBiasView {
  Dtype dtype = Dtype::kF32;
  uint32_t experts = 0;
  uint64_t rows = 0;
  uint64_t stored_rows = 0, first_row = 0, row_step = 1;
  const std::byte* data = nullptr;
};

struct LayerTensors {
  MatrixView attn_norm;  // [D]
  MatrixView q, k, v;    // [H*Dh, D], [G*Dh, D], [G*Dh, D]
  MatrixView q_bias, k_bias, v_bias;
  MatrixView sinks;                              // [H]
  MatrixView o, o_bias;                          // [D, H*Dh], [D]
  MatrixView mlp_norm;                           // [D]
  MatrixView router, router_bias;                // [E, D], [E]
  ExpertMatrixView gate, up, down;               // [E, F, D], [E, F, D], [E, D, F]
  ExpertBiasView gate_bias, up_bias, down_bias;  // [E, F], [E, F], [E, D]
};

struct ModelTensors {
  MatrixView embedding;  // [V, D]
  std::vector<LayerTensors> layers;
  MatrixView final_norm;  // [D]
  MatrixView lm_head;     // [V, D]
};

/// One tensor of the file as it stands there, for `gossamer show`.
struct StoredTensor {
  std::string name;
  std::string file;             ///< file name without its folder
  Dtype dtype;                  ///< kMxfp4 for `_blocks` and `_scales` alike
  std::vector<uint64_t> shape;  ///< as stored
  uint64_t size_bytes = 0;
};

enum class CheckpointFormat : uint8_t { kHuggingFace, kOriginal, kGguf };
std::string_view format_name(CheckpointFormat format);  ///< "safetensors (Hugging Face layout)", ...

/// What the reader of a layout hands over: everything known about one opened model.
struct CheckpointParts {
  CheckpointFormat format = CheckpointFormat::kHuggingFace;
  std::string name;  ///< the name the file gives itself, else the folder's or file's name
  ModelConfig config;
  GenerationDefaults generation;
  ModelTensors tensors;  ///< views into `files`
  std::vector<StoredTensor> stored;
  std::vector<MmapFile> files;
  std::string tokenizer_json_path;                   ///< empty: none
  std::shared_ptr<const GgufVocabulary> vocabulary;  ///< null: none; views into `files`
};

class Checkpoint {
 public:
  /// Opens `path`: a folder with config.json and safetensors (Hugging Face layout, or OpenAI's `original/` layout; a
  /// folder that holds only an `original` subfolder counts), or a .gguf file (for a split one, its first part). Reads
  /// headers only. Errors name file, tensor and both values.
  static Result<Checkpoint> open(const std::string& path, const ProgressFn& progress = {});

  const ModelConfig& config() const { return parts_.config; }
  const GenerationDefaults& generation() const { return parts_.generation; }
  const ModelTensors& tensors() const { return parts_.tensors; }
  const std::vector<StoredTensor>& stored_tensors() const { return parts_.stored; }
  CheckpointFormat format() const { return parts_.format; }
  const std::string& path() const { return path_; }
  /// The name the file gives itself, else the folder's or file's name.
  const std::string& name() const { return parts_.name; }
  const std::vector<MmapFile>& files() const { return parts_.files; }

  /// The model's own tokenizer (tokenizer.json, GGUF vocabulary); where the model has none but the vocabulary size of
  /// gpt-oss, o200k_harmony. Errors: there is none for another size, or it is malformed or has more ids than the head
  /// has rows.
  Result<std::shared_ptr<const Tokenizer>> load_tokenizer() const;

 private:
  Checkpoint(std::string path, CheckpointParts parts) : path_(std::move(path)), parts_(std::move(parts)) {}

  std::string path_;
  CheckpointParts parts_;
};

}  // namespace gossamer
