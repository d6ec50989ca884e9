/// openai-harmony 0.0.8 made the expected values: tokens and text of conversations, messages and stream states of
/// tokens.

#include <gtest/gtest.h>

#include "harmony/json_requests.h"
#include "harmony/jsonl.h"

namespace gossamer::harmony::testing {
namespace {

void expect_rendered(const Row& row) {
  const Result<json::object> reply = render_json(*Tokenizer::o200k_harmony(), row.line);
  ASSERT_EQ(reply.ok(), !row.has("error")) << row.name() << ": " << (reply.ok() ? "rendered" : reply.error().message);
  if (!reply.ok()) return;
  EXPECT_EQ(reply->at("tokens"), row.object.at("tokens")) << row.name() << " renders as " << reply->at("text");
  if (row.has("text")) {
    EXPECT_EQ(reply->at("text"), row.object.at("text")) << row.name();
  }
}

void expect_parsed(const Row& row, ParseMode mode) {
  const Result<json::object> reply = parse_json_tokens(Tokenizer::o200k_harmony(), row.line, mode);
  ASSERT_TRUE(reply.ok()) << row.name() << ": " << reply.error().message;
  EXPECT_EQ(reply->at("messages"), row.object.at("messages")) << row.name();
  EXPECT_EQ(reply->at("steps"), row.object.at("steps")) << row.name();
  for (std::string_view key : {"error", "eos_error"})
    EXPECT_EQ(reply->contains(key), row.has(key)) << row.name() << " " << key;
  if (row.has("error_at") && reply->contains("error_at")) {
    EXPECT_EQ(reply->at("error_at"), row.object.at("error_at")) << row.name();
  }
}

/// A row without "strict" holds in both modes.
void expect_parsed(const Row& row) {
  const json::value* strict = row.object.if_contains("strict");
  if (!strict || strict->as_bool()) expect_parsed(row, ParseMode::kStrict);
  if (!strict || !strict->as_bool()) expect_parsed(row, ParseMode::kCompatible);
}

TEST(HarmonyGolden, CommittedConversationsRenderExactly) {
  const std::vector<Row> rows = committed_rows("render.jsonl");
  ASSERT_GT(rows.size(), 50u);
  for (const Row& row : rows) expect_rendered(row);
}

TEST(HarmonyGolden, CommittedTokensParseExactly) {
  const std::vector<Row> rows = committed_rows("parse.jsonl");
  ASSERT_GT(rows.size(), 80u);
  for (const Row& row : rows) expect_parsed(row);
}

TEST(HarmonyGolden, AllConversationsRenderExactly) {
  const std::vector<Row> rows = oracle_rows("harmony_render.jsonl");
  if (rows.empty()) GTEST_SKIP() << "no oracle beside this checkout";
  for (const Row& row : rows) expect_rendered(row);
}

TEST(HarmonyGolden, AllTokensParseExactly) {
  const std::vector<Row> rows = oracle_rows("harmony_parse.jsonl");
  if (rows.empty()) GTEST_SKIP() << "no oracle beside this checkout";
  for (const Row& row : rows) expect_parsed(row);
}

}  // namespace
}  // namespace gossamer::harmony::testing
