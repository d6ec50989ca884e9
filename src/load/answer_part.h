#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace gossamer::load {

/// What an event of a stream, or a whole answer, says that is measured.
struct AnswerPart {
  bool is_json = false;
  bool has_text = false;                                ///< of the answer, its reasoning or a call
  bool has_finish = false;                              ///< a finish_reason
  std::optional<uint64_t> input_tokens, output_tokens;  ///< of `usage`
  std::optional<double> engine_ms;  ///< what `timings` says the engine took, in line too; where the server tells it
  std::string error;                ///< the server's sentence; empty: no error
};

/// Reads what OpenAI's API answers: chunks and whole answers of chat completions and completions, and errors. Any bytes
/// may come. Keeps its memory from one to the next.
class AnswerPartReader {
 public:
  AnswerPartReader();
  ~AnswerPartReader();
  AnswerPart read(std::string_view json_text);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gossamer::load
