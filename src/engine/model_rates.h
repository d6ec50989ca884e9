#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/loaded_model.h"
#include "kernels/measured_backend.h"

namespace gossamer {

/// What is measured of a model, without engine, tokenizer and sampler.
struct RateOptions {
  std::vector<uint32_t> prefill_tokens{128, 512};  ///< prompts of these lengths
  uint32_t decode_tokens = 32;                     ///< steps of decode in each run; 0: none
  std::vector<uint32_t> depths{0};                 ///< tokens that a sequence has before decode begins
  std::vector<uint32_t> parallel;                  ///< sequences that decode together, at the first of the depths
  uint32_t runs = 3;
  uint32_t chunk_tokens = 512;  ///< of a prompt, at a time; llama.cpp's ubatch
  kernels::KvDtype kv_dtype = kernels::KvDtype::kBf16;
};

/// Errors: a length that the context of `config` cannot hold; the sentence has both.
Status check_lengths(const RateOptions& options, const ModelConfig& config);

/// One figure: "pp128" (prefill), "tg32@1024" (decode at a depth), "tg32x8@0" (of 8 sequences together, as one of
/// `RateOptions::parallel`: "tg32x1@0" where that is 1).
struct ModelRate {
  std::string name;
  std::vector<double> tokens_per_second;    ///< of each run, ascending
  double tokens = 0, seconds = 0;           ///< of all runs together
  kernels::MeasuredBackend::Ledger ledger;  ///< what the runs did
  double median() const;                    ///< of an even number of runs, the mean of the middle two
};

/// Random tokens through `loaded`, whose backend is `backend`. Each figure is warmed up, then measured; the logits
/// of the last token are computed, as a server does. `on_rate` gets each figure as it is there; `keep_going` is asked
/// before each pass, and where it says no, what is there by then is given. Precondition: a chunk, a run and a depth are
/// there. Errors: as check_lengths(), or no memory for a cache.
Result<std::vector<ModelRate>> measure_rates(LoadedModel& loaded, kernels::MeasuredBackend& backend,
                                             const RateOptions& options,
                                             const std::function<void(const ModelRate&)>& on_rate,
                                             const std::function<bool()>& keep_going);

}  // namespace gossamer
