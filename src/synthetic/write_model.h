#pragma once
/// Random gpt-oss models of full size on disk, for benchmarks on machines that have none.

#include <functional>
#include <string>

#include "base/progress.h"
#include "base/result.h"
#include "synthetic/preset.h"

namespace gossamer::synthetic {

enum class ModelFormat : uint8_t { kGguf, kSafetensors };

struct ModelRequest {
  std::string path;  ///< of the GGUF file, or of the folder
  Preset preset;
  ModelFormat format = ModelFormat::kGguf;
  uint64_t seed = 0;
  bool force = false;        ///< replaces a model that is there
  unsigned num_threads = 0;  ///< 0: every processor
};

struct WrittenModel {
  uint32_t num_files = 0;
  uint64_t size_bytes = 0;  ///< of all files
};

/// Writes the model that seed and preset stand for: the same bytes on every machine, whatever the threads, and both
/// formats hold the same numbers. Memory: the vocabulary, and a megabyte for each thread. It is NAME.part until it is
/// complete, and nothing is left where it fails.
/// `progress` is told in bytes, file by file; `go_on` is asked every few megabytes.
/// Errors: those of PendingOutput; too little free disk, before anything is written; the system refuses; kCancelled.
Result<WrittenModel> write_model(const ModelRequest& request, const ProgressFn& progress,
                                 const std::function<bool()>& go_on);

}  // namespace gossamer::synthetic
