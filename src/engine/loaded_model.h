#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "checkpoint/checkpoint.h"
#include "model/device.h"
#include "tokenizer/tokenizer.h"

namespace gossamer {

struct LoadOptions {
  unsigned num_threads = 0;    // 0: every processor this process may use
  std::string backend;         // a name of available_backends(); empty: $GOSSAMER_ISA, else the best this machine has
  bool need_tokenizer = true;  // false: a model without a tokenizer loads all the same
  kernels::Precision precision = kernels::Precision::kDefault;
  /// Puts something around the backend, where not empty: measurements do.
  std::function<std::unique_ptr<kernels::Backend>(std::unique_ptr<kernels::Backend>)> instrument = {};
  bool pack_weights = true;  // a copy in the backend's own order, where it wants one and memory is free for it
  DenseDtype dense_dtype = DenseDtype::kAsStored;
  bool keep_packed = false;  // in a file, from which later loads map it
  DeviceChoice device{DeviceChoice::Kind::kCpu};
  DeviceBudget device_budget = {};
  DeviceSums device_sums = DeviceSums::kAuto;
};

/// A model that is ready to run: files, weights, tokenizer and threads. One user at a time.
struct LoadedModel {
  Checkpoint checkpoint;
  std::shared_ptr<const Tokenizer> tokenizer;  ///< null where the model has none and none was needed
  std::unique_ptr<ThreadPool> threads;
  std::unique_ptr<Model> model;
  std::string device;         ///< the GPU that computes; empty: the CPU
  std::string why_no_device;  ///< why it does, where any device was right and this program has kernels for GPUs

  /// `path` as locate_model() gives it.
  static Result<std::unique_ptr<LoadedModel>> load(const std::string& path, const LoadOptions& options,
                                                   const ProgressFn& progress = {});

  /// Tokens that end an answer: <|return|>, <|call|>, <|endoftext|> as far as the tokenizer has them, and what the
  /// checkpoint names.
  std::vector<TokenId> stop_tokens() const;
};

}  // namespace gossamer
