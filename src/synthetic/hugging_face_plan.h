#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "synthetic/planned_file.h"
#include "synthetic/preset.h"

namespace gossamer::synthetic {

/// A model as a folder in the layout of openai/gpt-oss-20b: MXFP4 experts as `_blocks` and `_scales`, BF16 for the
/// rest, in safetensors files of up to `max_file_bytes` of data with an index (one file: without), and the JSON files
/// beside them. The weights come first.
std::vector<PlannedFile> plan_hugging_face(const Preset& preset, uint64_t seed,
                                           uint64_t max_file_bytes = 5'000'000'000);

/// Whether plan_hugging_face() makes files of that name.
bool is_hugging_face_file(std::string_view name);

}  // namespace gossamer::synthetic
