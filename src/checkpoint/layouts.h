#pragma once
/// One function a layout of model files: reads the headers, checks every tensor against the config, hands over views.

#include <string>

#include "base/progress.h"
#include "base/result.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/tensor_table.h"

namespace gossamer {

/// A folder as openai/gpt-oss-20b has it at its top: config.json of model_type gpt_oss, safetensors,
/// generation_config.json, tokenizer.json (the last two may be missing).
Result<CheckpointParts> open_hugging_face_layout(const std::string& folder, const ProgressFn& progress);

/// A folder as `original/` in openai/gpt-oss-20b: config.json of OpenAI's own form and safetensors.
Result<CheckpointParts> open_original_layout(const std::string& folder, const ProgressFn& progress);

/// A .gguf file, or the first part of a split one (`-00001-of-0000N.gguf`); the other parts must lie beside it.
Result<CheckpointParts> open_gguf_layout(const std::string& path, const ProgressFn& progress);

/// The table's tensors as `gossamer show` lists them.
std::vector<StoredTensor> list_stored(const TensorTable& table);

/// Layers that the files have and the config does not: an Error naming the first such tensor. `prefix` is what stands
/// before the layer's number in names ("model.layers.").
Status check_no_extra_layers(const TensorTable& table, std::string_view prefix, const ModelConfig& config,
                             std::string_view config_source);

}  // namespace gossamer
