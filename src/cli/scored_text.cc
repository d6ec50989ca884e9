#include "cli/scored_text.h"

#include <algorithm>

namespace gossamer::cli {
namespace {

constexpr std::string_view kSeparator = "<|endoftext|>";
constexpr std::string_view kUser = "<|start|>user";
constexpr std::string_view kAssistant = "<|start|>assistant";
constexpr std::string_view kEnds[] = {"<|end|>", "<|return|>", "<|call|>"};

/// Where the message that is written from `from` on ends: behind its last token, or with the text.
size_t end_of_message(std::string_view text, size_t from) {
  size_t end = text.size();
  for (std::string_view name : kEnds)
    if (const size_t found = text.find(name, from); found != text.npos) end = std::min(end, found + name.size());
  return end;
}

void append(std::string_view piece, bool scored, const Tokenizer& tokenizer, ScoredTokens& out) {
  tokenizer.encode_with_specials(piece, out.tokens);
  out.scored.resize(out.tokens.size(), scored);
}

ScoredTokens scored_text(std::string_view text, const Tokenizer& tokenizer) {
  ScoredTokens out;
  if (text.find(kAssistant) == text.npos) {
    append(text, true, tokenizer, out);
    return out;
  }
  const size_t last_user = text.rfind(kUser), answer = last_user == text.npos ? 0 : last_user;
  for (size_t start = 0; start < text.size();) {
    const size_t found = text.find(kAssistant, std::max(start, answer));
    const size_t written = found == text.npos ? text.size() : found + kAssistant.size();
    const size_t end = end_of_message(text, written);
    append(text.substr(start, written - start), false, tokenizer, out);
    append(text.substr(written, end - written), true, tokenizer, out);
    start = end;
  }
  return out;
}

}  // namespace

std::vector<ScoredTokens> scored_texts(std::string_view file, const Tokenizer& tokenizer) {
  std::vector<ScoredTokens> texts;
  while (!file.empty()) {
    const size_t end = std::min(file.find(kSeparator), file.size());
    if (end > 0) texts.push_back(scored_text(file.substr(0, end), tokenizer));
    file.remove_prefix(std::min(end + kSeparator.size(), file.size()));
    if (file.starts_with('\n')) file.remove_prefix(1);
  }
  return texts;
}

}  // namespace gossamer::cli
