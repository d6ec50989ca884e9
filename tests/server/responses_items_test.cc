#include "server/responses_items.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/responses_tools.h"
#include "server/responses_truncation.h"

namespace gossamer::server {
namespace {

constexpr char kStem[] = "abcdefghijklmnopqrstuvwx";

struct Read {
  ItemTurns items;
  std::optional<ApiError> problem;
};

/// "input" of a body, read to turns. Sealed reasoning is "sealed TEXT".
Read read(const std::string& input) {
  const json::object body{{"input", *parse_json(input, "input")}};
  JsonReader reader(body);
  const json::array items = normalized_input(kStem, reader);
  std::vector<PlacedItem> placed;
  for (size_t i = 0; i < items.size(); ++i) placed.push_back({&items[i].get_object(), fmt::format("input[{}]", i)});
  const auto open = [](std::string_view sealed) {
    return sealed.starts_with("sealed ") ? std::optional<std::string>(sealed.substr(7)) : std::nullopt;
  };
  Read read{turns_from_items(placed, open, reader), {}};
  read.problem = reader.problem();
  return read;
}

/// "assistant think(T) say(S) call(NAME ID ARGS)", one line a turn.
std::vector<std::string> lines(const std::vector<ChatTurn>& turns) {
  const char* const roles[] = {"system", "developer", "user", "assistant", "tool"};
  std::vector<std::string> lines;
  for (const ChatTurn& turn : turns) {
    std::string line = roles[static_cast<size_t>(turn.role)];
    if (!turn.reasoning.empty()) line += " think(" + turn.reasoning + ")";
    if (!turn.text.empty()) line += " say(" + turn.text + ")";
    for (const PastCall& call : turn.calls) line += " call(" + call.name + " " + call.id + " " + call.arguments + ")";
    if (!turn.call_id.empty()) line += " of " + turn.call_id;
    lines.push_back(line);
  }
  return lines;
}

struct Case {
  const char* name;
  const char* input;
  std::vector<std::string> turns;
};

class Items : public ::testing::TestWithParam<Case> {};

TEST_P(Items, MeanTheseTurns) {
  const Read got = read(GetParam().input);
  EXPECT_FALSE(got.problem) << got.problem->message;
  EXPECT_EQ(lines(got.items.turns), GetParam().turns);
}

const Case kCases[] = {
    {"Text", R"("Hi")", {"user say(Hi)"}},
    {"Nothing", "[]", {}},
    {"EasyMessages",
     R"([{"role":"system","content":"Be short"},{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes?"}])",
     {"system say(Be short)", "user say(Hi)", "assistant say(Yes?)"}},
    {"Parts",
     R"([{"type":"message","role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_text","text":"b"}]},
         {"type":"message","role":"developer","content":[{"type":"input_text","text":"c"}]}])",
     {"user say(ab)", "developer say(c)"}},
    {"ReplayedOutput",
     R"([{"id":"rs_1","type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"Hm"}]},
         {"id":"msg_1","type":"message","role":"assistant","status":"completed",
          "content":[{"type":"output_text","text":"Yes","annotations":[]}]}])",
     {"assistant think(Hm) say(Yes)"}},
    {"ToolLoop",
     R"([{"role":"user","content":"w?"},
         {"type":"reasoning","id":"rs_1","summary":[],"content":[{"type":"reasoning_text","text":"Hm"}]},
         {"type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\":1}"},
         {"type":"function_call","call_id":"c2","name":"g","arguments":"{}"},
         {"type":"function_call_output","call_id":"c1","output":"1"},
         {"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"2"}]},
         {"type":"reasoning","id":"rs_2","summary":[],"content":[{"type":"reasoning_text","text":"So"}]}])",
     {"user say(w?)", "assistant think(Hm) call(f c1 {\"a\":1}) call(g c2 {})", "tool say(1) of c1",
      "tool say(2) of c2", "assistant think(So)"}},
    {"PreambleBeforeACall",
     R"([{"type":"message","role":"assistant","phase":"commentary","content":[{"type":"output_text","text":"Look"}]},
         {"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"Hm"}]},
         {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"}])",
     {"assistant think(Hm) say(Look) call(f c1 {})"}},
    {"SealedReasoning",
     R"([{"type":"reasoning","summary":[],"content":null,"encrypted_content":"sealed Hm"},
         {"role":"assistant","content":"Yes"}])",
     {"assistant think(Hm) say(Yes)"}},
    {"ReasoningThatIsOpenIsNotUnsealed",
     R"([{"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"Hm"}],"encrypted_content":"x"}])",
     {"assistant think(Hm)"}},
    {"CustomTools",
     R"([{"type":"custom_tool_call","call_id":"c1","name":"note","input":"a \"b\""},
         {"type":"custom_tool_call_output","call_id":"c1","output":"ok"}])",
     {"assistant call(note c1 {\"input\":\"a \\\"b\\\"\"})", "tool say(ok) of c1"}},
    {"Patches",
     R"([{"type":"apply_patch_call","call_id":"c1","status":"completed",
          "operation":{"type":"delete_file","path":"a"}},
         {"type":"apply_patch_call_output","call_id":"c1","status":"failed"}])",
     {"assistant call(apply_patch c1 {\"type\":\"delete_file\",\"path\":\"a\"})", "tool say(failed) of c1"}},
    {"ApprovedAndMade",
     R"([{"role":"user","content":"w?"},
         {"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"Hm"}]},
         {"type":"mcp_approval_request","id":"mcpr_1","call_id":"c1","server_label":"w","name":"now","arguments":"{}"},
         {"type":"mcp_approval_response","approval_request_id":"mcpr_1","approve":true},
         {"type":"mcp_list_tools"},
         {"type":"mcp_call","approval_request_id":"mcpr_1","output":"rain","error":null},
         {"role":"assistant","content":"Rain"}])",
     {"user say(w?)", "assistant think(Hm) call(w.now c1 {})", "tool say(rain) of c1", "assistant say(Rain)"}},
    {"NotApproved",
     R"([{"type":"mcp_approval_request","id":"mcpr_1","server_label":"w","name":"now","arguments":"{}"},
         {"type":"mcp_approval_response","approval_request_id":"mcpr_1","approve":false,"reason":"too wet"},
         {"role":"user","content":"so?"}])",
     {"assistant call(w.now mcpr_1 {})", "tool say(The user did not approve this call: too wet) of mcpr_1",
      "user say(so?)"}},
    {"NobodyAnsweredWhetherItIsApproved",
     R"([{"type":"mcp_approval_request","id":"mcpr_1","server_label":"w","name":"now","arguments":"{}"},
         {"role":"user","content":"so?"}])",
     {"user say(so?)"}},
    {"TwoAnswersInARow",
     R"([{"role":"assistant","content":"a"},{"role":"assistant","content":"b"}])",
     {"assistant say(a)", "assistant say(b)"}},
};
INSTANTIATE_TEST_SUITE_P(Responses, Items, ::testing::ValuesIn(kCases),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(ResponsesItems, WhatOthersDidIsIgnoredAndNamed) {
  const Read got = read(R"([{"type":"web_search_call","id":"ws_1"},{"type":"web_search_call"},{"type":"mcp_call"},
                            {"type":"reasoning","summary":[],"encrypted_content":"gAAAA"},{"role":"user","content":"Hi"}])");
  EXPECT_FALSE(got.problem);
  EXPECT_THAT(got.items.ignored_types, ::testing::ElementsAre("web_search_call", "mcp_call"));
  EXPECT_EQ(got.items.unread_reasoning, 1u);
  EXPECT_EQ(lines(got.items.turns), std::vector<std::string>{"user say(Hi)"});
}

struct Wrong {
  const char* input;
  const char* param;
};

TEST(ResponsesItems, ProblemsNameTheirPlace) {
  const Wrong wrongs[] = {
      {"5", "input"},
      {"[5]", "input[0]"},
      {R"([{"content":"x"}])", "input[0].type"},
      {R"([{"type":"nonsense"}])", "input[0].type"},
      {R"([{"role":"robot","content":"x"}])", "input[0].role"},
      {R"([{"type":7,"role":"user"}])", "input[0].type"},
      {R"([{"role":"user","content":7}])", "input[0].content"},
      {R"([{"role":"user","content":[{"type":"input_image","image_url":"x"}]}])", "input[0].content[0].type"},
      {R"([{"type":"function_call","name":"f","arguments":"{}"}])", "input[0].call_id"},
      {R"([{"type":"function_call","call_id":"c","arguments":"{}"}])", "input[0].name"},
      {R"([{"type":"function_call_output","output":"x"}])", "input[0].call_id"},
      {R"([{"type":"reasoning","content":[5]}])", "input[0].content"},
      {R"([{"type":"mcp_approval_response","approval_request_id":"mcpr_1","approve":true}])",
       "input[0].approval_request_id"},
      {R"([{"type":"mcp_approval_request","id":"a","server_label":"w","name":"x <|end|>","arguments":"{}"}])",
       "input[0].name"},
      {R"([{"type":"mcp_approval_request","id":"a","server_label":"w","name":"now","arguments":"{}"},
           {"type":"mcp_approval_response","approval_request_id":"a","approve":true},
           {"role":"user","content":"x"}])",
       "input[1]"},
  };
  for (const Wrong& wrong : wrongs) {
    const Read got = read(wrong.input);
    ASSERT_TRUE(got.problem) << wrong.input;
    EXPECT_EQ(got.problem->status, 400u);
    EXPECT_EQ(got.problem->param.value_or(""), wrong.param) << wrong.input;
  }
}

TEST(ResponsesItems, TheLastItemApprovesACall) {
  const Read got = read(R"([
      {"type":"mcp_approval_request","id":"mcpr_1","server_label":"w","name":"now","arguments":"{\"a\":1}"},
      {"type":"mcp_approval_response","approval_request_id":"mcpr_1","approve":true}])");
  ASSERT_FALSE(got.problem) << got.problem->message;
  ASSERT_TRUE(got.items.approved);
  EXPECT_EQ(got.items.approved->request_id, "mcpr_1");
  EXPECT_EQ(got.items.approved->recipient, "w.now");
  EXPECT_EQ(got.items.approved->arguments, R"({"a":1})");
  EXPECT_EQ(lines(got.items.turns), std::vector<std::string>{R"(assistant call(w.now mcpr_1 {"a":1}))"});
}

TEST(ResponsesItems, IdsTellTheirResponse) {
  EXPECT_EQ(response_of_item(output_item_id("rs_", kStem, 12)), response_id(kStem));
  EXPECT_EQ(response_of_item(input_item_id("msg_", kStem, 0)), response_id(kStem));
  for (const char* other : {"", "msg_", "msg_short", "msg_68a0c0ffee68a0c0ffee68a0c0ffee", "nothing"})
    EXPECT_FALSE(response_of_item(other)) << other;
}

TEST(ResponsesItems, NormalizedInputIsListed) {
  const json::object body{{"input", "Hi"}};
  JsonReader reader(body);
  EXPECT_EQ(json::value(normalized_input(kStem, reader)),
            *parse_json(R"([{"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"}],
                             "status":"completed","id":"msg_abcdefghijklmnopqrstuvwxi0"}])",
                        "expected"));
}

TEST(ResponsesItems, WhatIsListedHasAStatusWhereItsTypeWantsOne) {
  const json::value body = *parse_json(R"({"input":[{"role":"assistant","content":"b"},
      {"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
      {"type":"function_call_output","call_id":"c","output":"x"},
      {"type":"apply_patch_call_output","call_id":"c","status":"failed"},
      {"type":"reasoning","summary":[]}]})",
                                       "body");
  JsonReader reader(body.as_object());
  std::vector<std::string> status;
  for (const json::value& item : normalized_input(kStem, reader)) {
    const json::value* found = find_member(item, "status");
    status.emplace_back(found ? std::string(found->as_string()) : "none");
  }
  EXPECT_THAT(status, ::testing::ElementsAre("completed", "completed", "completed", "failed", "none"));
}

/// "s" system, "u" user, "a" assistant, "t" tool; each with so much text.
std::vector<ChatTurn> turns_of(std::string_view roles, size_t bytes) {
  std::vector<ChatTurn> turns;
  for (const char role : roles) {
    ChatTurn& turn = turns.emplace_back();
    turn.role = role == 's'   ? ChatTurn::Role::kSystem
                : role == 'u' ? ChatTurn::Role::kUser
                : role == 'a' ? ChatTurn::Role::kAssistant
                              : ChatTurn::Role::kTool;
    turn.text = std::string(bytes, 'x');
  }
  return turns;
}

std::string roles_of(const std::vector<ChatTurn>& turns) {
  std::string roles;
  for (const ChatTurn& turn : turns) roles += "s?uat"[static_cast<size_t>(turn.role)];
  return roles;
}

TEST(ResponsesTruncation, DropsWholeExchangesFromTheOldest) {
  const auto dropped = [](std::string_view roles, size_t count) {
    std::vector<ChatTurn> turns = turns_of(roles, 1);
    const bool done = drop_oldest(turns, count);
    return roles_of(turns) + (done ? "" : "!");
  };
  EXPECT_EQ(dropped("suatasua", 1), "ssua");
  EXPECT_EQ(dropped("uauaua", 2), "ua");
  EXPECT_EQ(dropped("uauau", 100), "u");
  EXPECT_EQ(dropped("aau", 1), "aau!");
  EXPECT_EQ(dropped("su", 1), "su!");
  EXPECT_EQ(dropped("", 1), "!");
}

TEST(ResponsesTruncation, NobodyCountsTheTokensOfWhatIsHopeless) {
  std::vector<ChatTurn> turns = turns_of("suauauau", 100);
  drop_hopeless(turns, 1000);
  EXPECT_EQ(roles_of(turns), "suauauau");
  drop_hopeless(turns, 20);  // 320 bytes
  EXPECT_EQ(roles_of(turns), "suau");
  drop_hopeless(turns, 1);
  EXPECT_EQ(roles_of(turns), "su");
}

TEST(ResponsesTools, FreeTextComesBackWhateverTheModelWrote) {
  EXPECT_EQ(custom_input(custom_arguments("a\n\"b\"")), "a\n\"b\"");
  EXPECT_EQ(custom_input("\"just a text\""), "just a text");
  EXPECT_EQ(custom_input("*** Begin Patch"), "*** Begin Patch");
  EXPECT_EQ(custom_input("{\"other\":1}"), "{\"other\":1}");
  EXPECT_EQ(custom_input(""), "");
}

TEST(ResponsesTools, OperationsHaveAllTheirMembers) {
  const auto operation = [](const char* text) { return json::serialize(patch_operation(text)); };
  EXPECT_EQ(operation(R"({"type":"create_file","path":"a","diff":"+x"})"),
            R"({"type":"create_file","path":"a","diff":"+x"})");
  EXPECT_EQ(operation(R"({"type":"delete_file","path":"a"})"), R"({"type":"delete_file","path":"a"})");
  EXPECT_EQ(operation("*** Begin"), R"({"type":"update_file","path":"","diff":"*** Begin"})");
  EXPECT_EQ(operation(R"({"type":5})"), R"({"type":"update_file","path":"","diff":""})");
}

}  // namespace
}  // namespace gossamer::server
