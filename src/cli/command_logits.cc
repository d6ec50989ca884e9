#include <fmt/format.h>

#include <fstream>
#include <memory>
#include <numeric>
#include <set>

#include "cli/command.h"
#include "cli/failure.h"
#include "cli/json_lines.h"
#include "cli/json_request.h"
#include "cli/model_options.h"
#include "cli/progress_line.h"
#include "cli/safetensors_writer.h"
#include "model/solo_sequence.h"

namespace gossamer::cli {
namespace {

struct LogitsOptions {
  ModelOptions model;
  std::string in, out;
};

struct Prompt {
  std::string name;
  std::vector<TokenId> tokens;
};

Result<Prompt> prompt_from_line(const std::string& line, std::set<std::string>& names) {
  GOS_TRY(const json::object request, parse_object(line));
  Prompt prompt;
  GOS_TRY(prompt.name, text_field(request, "name"));
  GOS_TRY(prompt.tokens, tokens_field(request, "tokens"));
  if (prompt.tokens.empty()) return make_error(ErrorCode::kInvalidInput, "\"tokens\" is empty");
  if (!names.insert(prompt.name).second)
    return make_error(ErrorCode::kInvalidInput, "the name \"{}\" occurs twice", prompt.name);
  return prompt;
}

/// All prompts of the file: the sizes of all tensors stand at the head of the output, so nothing is computed before.
Result<std::vector<Prompt>> read_prompts(const std::string& path) {
  std::ifstream file(path);
  if (!file) return make_error(ErrorCode::kNotFound, "cannot read {}", path);
  std::vector<Prompt> prompts;
  std::set<std::string> names;
  std::string line;
  for (uint64_t number = 1; std::getline(file, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    Result<Prompt> prompt = prompt_from_line(line, names);
    if (!prompt.ok())
      return make_error(ErrorCode::kInvalidInput, "{}, line {}: {}", path, number, prompt.error().message);
    prompts.push_back(std::move(*prompt));
  }
  return prompts;
}

/// The logits of every token of `prompt`, [tokens, V], appended to `writer`.
Status write_logits(const Prompt& prompt, Model& model, SafetensorsWriter& writer) {
  const auto num_tokens = static_cast<uint32_t>(prompt.tokens.size());
  GOS_TRY(SoloSequence sequence, SoloSequence::make(model, kernels::KvDtype::kF32, num_tokens));
  for (uint32_t start = 0; start < num_tokens; start += kPrefillChunkTokens) {
    const uint32_t length = std::min(kPrefillChunkTokens, num_tokens - start);
    Batch batch;
    batch.tokens.assign(prompt.tokens.begin() + start, prompt.tokens.begin() + start + length);
    BatchRow& row = batch.rows.emplace_back(sequence.next_row(length));
    row.logit_offsets.resize(length);
    std::iota(row.logit_offsets.begin(), row.logit_offsets.end(), 0);
    GOS_TRY(const std::span<const float> logits, model.forward(batch));
    writer.append(logits);
  }
  return {};
}

Status write_all_logits(const LogitsOptions& options) {
  if (options.model.device != "cpu")
    return make_error(ErrorCode::kInvalidInput,
                      "logits are computed on the CPU, with keys and values in float32; leave out --device {}",
                      options.model.device);
  GOS_TRY(const std::vector<Prompt> prompts, read_prompts(options.in));
  GOS_TRY(const std::unique_ptr<LoadedModel> loaded, options.model.load(/*need_tokenizer=*/false));
  std::vector<SafetensorsWriter::Tensor> tensors;
  for (const Prompt& prompt : prompts)
    tensors.push_back({prompt.name, {prompt.tokens.size(), loaded->model->config().vocab_size}});
  GOS_TRY(SafetensorsWriter writer, SafetensorsWriter::create(options.out, tensors));
  ProgressLine progress;
  for (size_t i = 0; i < prompts.size(); ++i) {
    progress.update("computing logits", i, prompts.size());
    if (Status written = write_logits(prompts[i], *loaded->model, writer); !written.ok())
      return make_error(written.error().code, "the prompt \"{}\": {}", prompts[i].name, written.error().message);
  }
  return writer.finish();
}

}  // namespace

Command logits_command() {
  return {"logits", "The logits of given tokens, into a safetensors file",
          "  echo '{\"name\": \"one\", \"tokens\": [1, 2, 3]}' > prompts.jsonl\n"
          "  gossamer logits --in prompts.jsonl --out logits.safetensors\n"
          "  writes the tensor \"one\", [3 tokens, vocabulary], float32",
          [](Options& options) {
            auto chosen = std::make_shared<LogitsOptions>();
            chosen->model.precision = "f32";  // this is how the arithmetic is checked
            chosen->model.device = "cpu";
            chosen->model.declare(options);
            options.required_file("--in", chosen->in, "A file with {\"name\", \"tokens\"} a line");
            options.required_file("--out", chosen->out, "The safetensors file to write");
            return [chosen] {
              Status status = write_all_logits(*chosen);
              return status.ok() ? int{kSuccess} : fail(status.error());
            };
          }};
}

}  // namespace gossamer::cli
