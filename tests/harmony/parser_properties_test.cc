/// What holds for every token sequence, tried on seeded random ones that lean towards frames.

#include <gtest/gtest.h>

#include <random>

#include "harmony/answer.h"
#include "harmony/conversation_json.h"
#include "harmony/frame_tokens.h"
#include "harmony/json_text.h"
#include "harmony/jsonl.h"
#include "harmony/render.h"
#include "harmony/stream_parser.h"

namespace gossamer::harmony {
namespace {

constexpr ParseMode kModes[] = {ParseMode::kStrict, ParseMode::kCompatible, ParseMode::kLenient};
constexpr uint32_t kNumSequences = 3000;

/// Token sequences: frame tokens, header words, text, halves of characters, ids without a name.
class RandomTokens {
 public:
  explicit RandomTokens(uint32_t seed) : random_(seed) {
    for (const char* piece : {"<|start|>", "<|message|>", "<|message|>", "<|channel|>", "<|constrain|>", "<|end|>",
                              "<|return|>", "<|call|>", "<|endoftext|>", "assistant", "user", " to=functions.f",
                              " json", "analysis", "final", "commentary", " ", "\n"}) {
      std::vector<TokenId> tokens;
      tokenizer_->encode_with_specials(piece, tokens);
      pieces_.push_back(std::move(tokens));
    }
  }

  uint32_t below(uint32_t bound) { return std::uniform_int_distribution<uint32_t>(0, bound - 1)(random_); }

  std::optional<Role> role() { return below(3) ? std::optional(Role::kAssistant) : std::nullopt; }

  std::vector<TokenId> sequence() {
    std::vector<TokenId> tokens;
    for (uint32_t i = below(24); i-- > 0;) append_piece(tokens);
    return tokens;
  }

  const Tokenizer& tokenizer() const { return *tokenizer_; }

 private:
  void append_piece(std::vector<TokenId>& tokens) {
    const uint32_t kind = below(10);
    if (kind < 6) {
      const std::vector<TokenId>& piece = pieces_[below(static_cast<uint32_t>(pieces_.size()))];
      tokens.insert(tokens.end(), piece.begin(), piece.end());
    } else if (kind < 7) {
      tokens.push_back(below(256));  // single bytes, many of them no character
    } else if (kind < 8) {
      tokens.push_back(199990 + below(1200));  // special, unnamed and beyond
    } else {
      tokens.push_back(below(199998));
    }
  }

  std::mt19937 random_;
  std::shared_ptr<const Tokenizer> tokenizer_ = Tokenizer::o200k_harmony();
  std::vector<std::vector<TokenId>> pieces_;
};

StreamParser make_parser(std::optional<Role> role, ParseMode mode) {
  return StreamParser::create(Tokenizer::o200k_harmony(), role, mode).value();
}

TEST(ParserProperties, LenientNeverFails) {
  RandomTokens random(1);
  for (uint32_t i = 0; i < kNumSequences; ++i) {
    StreamParser parser = make_parser(random.role(), ParseMode::kLenient);
    for (TokenId token : random.sequence()) ASSERT_TRUE(parser.feed(token).ok()) << "sequence " << i;
    ASSERT_TRUE(parser.finish().ok()) << "sequence " << i;
  }
}

TEST(ParserProperties, DeltasJoinToTheContents) {
  RandomTokens random(2);
  for (uint32_t i = 0; i < kNumSequences; ++i) {
    const std::optional<Role> role = random.role();
    const std::vector<TokenId> tokens = random.sequence();
    for (ParseMode mode : kModes) {
      StreamParser parser = make_parser(role, mode);
      std::vector<std::string> texts;
      const auto collect = [&] {
        for (const TextDelta& delta : parser.deltas()) {
          if (delta.message_idx >= texts.size()) texts.resize(delta.message_idx + 1);
          texts[delta.message_idx] += delta.text;
        }
      };
      bool failed = false;
      for (TokenId token : tokens) {
        if ((failed = !parser.feed(token).ok())) break;
        collect();
      }
      if (failed || !parser.finish().ok()) continue;
      collect();
      texts.resize(std::max(texts.size(), parser.messages().size()));
      ASSERT_EQ(texts.size(), parser.messages().size());
      for (size_t m = 0; m < texts.size(); ++m) ASSERT_EQ(texts[m], parser.messages()[m].text()) << "sequence " << i;
    }
  }
}

TEST(ParserProperties, AFailedParserStaysFailed) {
  StreamParser parser = make_parser(std::nullopt, ParseMode::kStrict);
  const Status first = parser.feed(64);
  ASSERT_FALSE(first.ok());
  EXPECT_EQ(parser.feed(200006).error().message, first.error().message);
  EXPECT_EQ(parser.finish().error().message, first.error().message);
}

/// Every text token of the sequence is a word of its own, so that each can be looked for.
TEST(ParserProperties, LenientLosesNoWord) {
  RandomTokens random(3);
  const FrameTokens frame = FrameTokens::from(random.tokenizer()).value();
  const TokenId markers[] = {frame.start, frame.message, frame.channel, frame.constrain,
                             frame.end,   frame.ret,     frame.call};
  std::vector<TokenId> words;
  for (TokenId id = 1000; words.size() < 500; ++id) {
    const std::string_view bytes = random.tokenizer().token_bytes(id);
    const bool is_word =
        bytes.size() > 4 && std::all_of(bytes.begin(), bytes.end(), [](char c) { return c >= 'a' && c <= 'z'; });
    if (is_word && !role_from_name(bytes)) words.push_back(id);
  }
  for (uint32_t i = 0; i < kNumSequences; ++i) {
    StreamParser parser = make_parser(random.role(), ParseMode::kLenient);
    std::vector<TokenId> said;
    for (uint32_t n = random.below(20); n-- > 0;) {
      if (random.below(2)) {
        ASSERT_TRUE(parser.feed(markers[random.below(std::size(markers))]).ok());
      } else {
        said.push_back(words[random.below(static_cast<uint32_t>(words.size()))]);
        ASSERT_TRUE(parser.feed(said.back()).ok());
      }
    }
    ASSERT_TRUE(parser.finish().ok());
    std::string heard;
    for (const Message& message : parser.messages()) {
      for (const auto* field : {&message.name, &message.channel, &message.recipient, &message.content_type}) {
        heard += field->value_or("") + " ";
      }
      heard += message.text() + " ";
    }
    for (TokenId word : said) {
      ASSERT_NE(heard.find(random.tokenizer().token_bytes(word)), std::string::npos)
          << random.tokenizer().token_bytes(word) << " is not in \"" << heard << "\", sequence " << i;
    }
  }
}

/// Whatever surrounds them: a recipient is only what "to=" named, and text of an analysis message is never in the
/// answer.
TEST(ParserProperties, NoCallIsInventedAndNoAnalysisLeaks) {
  RandomTokens random(4);
  const std::vector<TokenId> secret = random.tokenizer().encode("zebra");
  std::vector<TokenId> analysis;
  random.tokenizer().encode_with_specials("<|start|>assistant<|channel|>analysis<|message|>", analysis);
  for (uint32_t i = 0; i < kNumSequences; ++i) {
    StreamParser parser = make_parser(random.role(), ParseMode::kLenient);
    const auto feed = [&](const std::vector<TokenId>& tokens) {
      for (TokenId token : tokens) ASSERT_TRUE(parser.feed(token).ok());
    };
    feed(random.sequence());
    feed(analysis);
    feed(secret);
    feed(random.sequence());
    ASSERT_TRUE(parser.finish().ok());
    const Answer answer = extract_answer(parser.messages());
    EXPECT_EQ(answer.final_text.find("zebra"), std::string::npos) << "sequence " << i;
    for (const ToolCall& call : answer.tool_calls) EXPECT_TRUE(call.name.starts_with("functions.f")) << call.name;
  }
}

/// A rendered conversation reads back as itself, in every mode that its names allow.
TEST(ParserProperties, RenderedMessagesParseBack) {
  const std::shared_ptr<const Tokenizer> tokenizer = Tokenizer::o200k_harmony();
  uint32_t checked = 0;
  for (const testing::Row& row : testing::committed_rows("render.jsonl")) {
    const json::value value = parse_json_like_serde(row.line, "a row").value();
    const Result<Conversation> conversation = conversation_from_json(value.at("conversation"));
    if (!conversation.ok()) continue;
    for (const Message& message : conversation->messages) {
      // What the text of a header cannot say: a recipient "all" (the default), names with a space, an empty header
      // field.
      if (message.recipient == "all" || message.channel == "weird channel") continue;
      const auto tokens = render_conversation(*tokenizer, Conversation{{message}}, {});
      if (!tokens.ok()) continue;
      StreamParser parser = make_parser(std::nullopt, ParseMode::kLenient);
      for (TokenId token : *tokens) ASSERT_TRUE(parser.feed(token).ok());
      ASSERT_EQ(parser.messages().size(), 1u) << row.name() << ": " << tokenizer->decode_bytes(*tokens);
      const Message& read = parser.messages()[0];
      const auto again = render_conversation(*tokenizer, Conversation{{read}}, {});
      ASSERT_TRUE(again.ok());
      EXPECT_EQ(tokenizer->decode_bytes(*again), tokenizer->decode_bytes(*tokens)) << row.name();
      EXPECT_EQ(std::tie(read.role, read.name, read.channel, read.recipient, read.content_type),
                std::tie(message.role, message.name, message.channel, message.recipient, message.content_type))
          << row.name() << ": " << tokenizer->decode_bytes(*tokens);
      ++checked;
    }
  }
  EXPECT_GT(checked, 200u);
}

}  // namespace
}  // namespace gossamer::harmony
