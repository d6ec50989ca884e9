#include "load/answer_part.h"

#include <cmath>

#include "base/json.h"

namespace gossamer::load {
namespace {

constexpr size_t kUsualBytes = 16 << 10;  // what the tree of most events takes
constexpr std::size_t kMaxDepth = 128;

json::parse_options parse_options() {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  return options;
}

bool is_text(const json::value* value) {
  return value && value->is_string() && !value->get_string().empty();
}

/// A delta, or a message.
bool has_text(const json::value& said) {
  for (const std::string_view field : {"content", "reasoning", "reasoning_content"})
    if (is_text(find_member(said, field))) return true;
  const json::value* calls = find_member(said, "tool_calls");
  return calls && calls->is_array() && !calls->get_array().empty();
}

void read_choice(const json::value& choice, AnswerPart& part) {
  for (const std::string_view field : {"delta", "message"})
    if (const json::value* said = find_member(choice, field)) part.has_text |= has_text(*said);
  part.has_text |= is_text(find_member(choice, "text"));
  part.has_finish |= is_text(find_member(choice, "finish_reason"));
}

std::optional<uint64_t> count_of(const json::value& usage, std::string_view field) {
  const json::value* count = find_member(usage, field);
  if (!count || !count->is_number()) return std::nullopt;
  boost::system::error_code error;
  const uint64_t number = count->to_number<uint64_t>(error);
  return error ? std::nullopt : std::optional(number);
}

/// llama.cpp's names, and queue_ms. Nothing where they are no finite time: the parser reads 1e999 as an infinity.
std::optional<double> engine_ms_of(const json::value& timings) {
  std::optional<double> sum;
  for (const std::string_view part : {"queue_ms", "prompt_ms", "predicted_ms"})
    if (const json::value* ms = find_member(timings, part); ms && ms->is_number())
      sum = sum.value_or(0) + ms->to_number<double>();
  if (sum && !std::isfinite(*sum)) return std::nullopt;
  return sum;
}

/// {"error": {"message": ...}}, {"error": "..."}, or FastAPI's {"detail": "..."}.
std::string error_of(const json::value& root) {
  const json::value* error = find_member(root, "error");
  if (!error || error->is_null()) error = find_member(root, "detail");
  if (!error || error->is_null()) return "";
  if (const json::value* message = find_member(*error, "message"); is_text(message))
    return std::string(message->get_string());
  return error->is_string() ? std::string(error->get_string()) : json::serialize(*error);
}

}  // namespace

struct AnswerPartReader::Impl {
  json::parser parser{json::storage_ptr(), parse_options()};
  unsigned char memory[kUsualBytes];
};

AnswerPartReader::AnswerPartReader() : impl_(std::make_unique<Impl>()) {}
AnswerPartReader::~AnswerPartReader() = default;

AnswerPart AnswerPartReader::read(std::string_view json_text) {
  AnswerPart part;
  json::monotonic_resource memory(impl_->memory, sizeof(impl_->memory));
  impl_->parser.reset(&memory);
  boost::system::error_code error;
  impl_->parser.write(json_text.data(), json_text.size(), error);
  if (error) {
    impl_->parser.reset();
    return part;
  }
  const json::value root = impl_->parser.release();
  part.is_json = true;
  if (const json::value* choices = find_member(root, "choices"); choices && choices->is_array())
    for (const json::value& choice : choices->get_array()) read_choice(choice, part);
  if (const json::value* usage = find_member(root, "usage")) {
    part.input_tokens = count_of(*usage, "prompt_tokens");
    part.output_tokens = count_of(*usage, "completion_tokens");
  }
  if (const json::value* timings = find_member(root, "timings")) part.engine_ms = engine_ms_of(*timings);
  part.error = error_of(root);
  return part;
}

}  // namespace gossamer::load
