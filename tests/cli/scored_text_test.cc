#include "cli/scored_text.h"

#include <gtest/gtest.h>

namespace gossamer::cli {
namespace {

/// The bytes of the scored tokens of each text, one text after another.
std::vector<std::string> scored_parts(std::string_view file) {
  const auto tokenizer = Tokenizer::o200k_harmony();
  std::vector<std::string> parts;
  for (const ScoredTokens& text : scored_texts(file, *tokenizer)) {
    EXPECT_EQ(text.scored.size(), text.tokens.size());
    std::string& part = parts.emplace_back();
    for (size_t i = 0; i < text.tokens.size(); ++i)
      if (text.scored[i]) part += tokenizer->token_bytes(text.tokens[i]);
  }
  return parts;
}

TEST(ScoredText, OfPlainTextIsAllOfIt) {
  EXPECT_EQ(scored_parts("Once upon a time"), std::vector<std::string>{"Once upon a time"});
  EXPECT_TRUE(scored_parts("").empty());
}

TEST(ScoredText, SeveralStandInOneFile) {
  EXPECT_EQ(scored_parts("one<|endoftext|>\n\ntwo<|endoftext|>three<|endoftext|>\n"),
            (std::vector<std::string>{"one", "\ntwo", "three"}))
      << "one line break is layout, the second is text";
}

TEST(ScoredText, SpecialTokensAreTokens) {
  const std::vector<ScoredTokens> texts = scored_texts("<|start|>hi", *Tokenizer::o200k_harmony());
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_EQ(texts[0].tokens.front(), *Tokenizer::o200k_harmony()->special("<|start|>"));
}

TEST(ScoredText, OfAConversationIsTheLastAnswer) {
  EXPECT_EQ(scored_parts("<|start|>system<|message|>Be kind.<|end|><|start|>user<|message|>Hi<|end|>"
                         "<|start|>assistant<|channel|>final<|message|>Hello!<|end|>"
                         "<|start|>user<|message|>And the weather?<|end|>"
                         "<|start|>assistant<|channel|>analysis<|message|>A call.<|end|>"
                         "<|start|>assistant to=functions.weather<|channel|>commentary<|message|>{}<|call|>"
                         "<|start|>functions.weather to=assistant<|channel|>commentary<|message|>sunny<|end|>"
                         "<|start|>assistant<|channel|>final<|message|>Sunny.<|return|>"),
            std::vector<std::string>{"<|channel|>analysis<|message|>A call.<|end|>"
                                     " to=functions.weather<|channel|>commentary<|message|>{}<|call|>"
                                     "<|channel|>final<|message|>Sunny.<|return|>"});
}

TEST(ScoredText, AnAnswerMayBeCutOff) {
  EXPECT_EQ(scored_parts("<|start|>assistant<|message|>I was say"), std::vector<std::string>{"<|message|>I was say"});
  EXPECT_EQ(scored_parts("<|start|>assistant"), std::vector<std::string>{""});
}

}  // namespace
}  // namespace gossamer::cli
