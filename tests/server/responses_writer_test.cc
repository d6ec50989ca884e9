#include "server/responses_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "server/event_grammar.h"
#include "server/responses_log.h"
#include "server/responses_run.h"

namespace gossamer::server {
namespace {

using Kind = AnswerEvent::Kind;
using Finish = AnswerEvent::Finish;

constexpr char kStem[] = "abcdefghijklmnopqrstuvwx";

AnswerEvent said(Kind kind, std::string text) {
  AnswerEvent event;
  event.kind = kind;
  event.text = std::move(text);
  return event;
}

AnswerEvent call_of(std::string name) {
  AnswerEvent event;
  event.kind = Kind::kCallBegin;
  event.call_id = "call_" + name;
  event.name = std::move(name);
  return event;
}

AnswerEvent ended(Finish finish) {
  AnswerEvent event;
  event.finish = finish;
  event.usage = {10, 4, 20, 5};
  return event;
}

ResponsesWriterOptions options_for_tests() {
  ResponsesWriterOptions options;
  options.stem = kStem;
  options.echo = parse_json(R"({"id":"resp_abcdefghijklmnopqrstuvwx","object":"response","created_at":1,"status":"x",
      "completed_at":null,"error":null,"incomplete_details":null,"instructions":null,"max_output_tokens":null,
      "model":"m","output":[],"parallel_tool_calls":true,"previous_response_id":null,"reasoning":{},"store":true,
      "temperature":1.0,"text":{},"tool_choice":"auto","top_p":1.0,"truncation":"disabled","usage":null,"user":null,
      "metadata":{},"background":false,"tools":[{"type":"custom","name":"note"},{"type":"apply_patch"}]})",
                            "echo")
                     ->as_object();
  options.tool_kinds = {{"note", ResponsesToolKind::kCustom}, {"apply_patch", ResponsesToolKind::kApplyPatch}};
  return options;
}

struct Written {
  std::vector<WrittenEvent> events;
  json::object response;
};

Written write(const std::vector<AnswerEvent>& answer, ResponsesWriterOptions options = options_for_tests(),
              const ResponsesEnd& end = {}) {
  Written written;
  ResponsesWriter writer(std::move(options), [&](std::string_view type, uint64_t, const std::string& text) {
    written.events.emplace_back(type, text);
  });
  writer.begin();
  for (const AnswerEvent& event : answer) event.kind == Kind::kEnd ? writer.end(event, end) : writer.add(event);
  written.response = writer.response();
  return written;
}

/// "output_item.added 0 reasoning": type without its prefix, output_index, type of the item.
std::vector<std::string> summary(const std::vector<WrittenEvent>& events) {
  std::vector<std::string> lines;
  for (const auto& [type, text] : events) {
    const json::object event = parse_json(text, "event")->as_object();
    std::string line = type.substr(std::string("response.").size());
    if (const json::value* index = event.if_contains("output_index")) line += fmt::format(" {}", index->as_int64());
    if (const json::value* item = event.if_contains("item")) line += " " + std::string(item->at("type").as_string());
    if (const json::value* delta = event.if_contains("delta")) line += " " + std::string(delta->as_string());
    lines.push_back(line);
  }
  return lines;
}

struct Case {
  const char* name;
  std::vector<AnswerEvent> answer;
  std::vector<std::string> expected;  ///< between in_progress and the end
  const char* end;
};

class Sequences : public ::testing::TestWithParam<Case> {};

TEST_P(Sequences, AreAsExpected) {
  const Written written = write(GetParam().answer);
  EXPECT_EQ(broken_rule(written.events), "");
  std::vector<std::string> lines = summary(written.events);
  ASSERT_GE(lines.size(), 3u);
  EXPECT_EQ(lines[0], "created");
  EXPECT_EQ(lines[1], "in_progress");
  EXPECT_EQ(lines.back(), GetParam().end);
  EXPECT_EQ(std::vector<std::string>(lines.begin() + 2, lines.end() - 1), GetParam().expected);
}

const Case kCases[] = {
    {"Text",
     {said(Kind::kText, "Hel"), said(Kind::kText, "lo"), ended(Finish::kStop)},
     {"output_item.added 0 message", "content_part.added 0", "output_text.delta 0 Hel", "output_text.delta 0 lo",
      "output_text.done 0", "content_part.done 0", "output_item.done 0 message"},
     "completed"},
    {"ReasoningThenText",
     {said(Kind::kReasoning, "Hm"), said(Kind::kText, "Hi"), ended(Finish::kStop)},
     {"output_item.added 0 reasoning", "content_part.added 0", "reasoning_text.delta 0 Hm", "reasoning_text.done 0",
      "content_part.done 0", "output_item.done 0 reasoning", "output_item.added 1 message", "content_part.added 1",
      "output_text.delta 1 Hi", "output_text.done 1", "content_part.done 1", "output_item.done 1 message"},
     "completed"},
    {"PreambleAndCalls",
     {said(Kind::kPreamble, "Look"), call_of("f"), said(Kind::kCallArguments, "{\"a\":"),
      said(Kind::kCallArguments, "1}"), said(Kind::kCallEnd, ""), call_of("g"), said(Kind::kCallArguments, "{}"),
      said(Kind::kCallEnd, ""), ended(Finish::kToolCalls)},
     {"output_item.added 0 message", "content_part.added 0", "output_text.delta 0 Look", "output_text.done 0",
      "content_part.done 0", "output_item.done 0 message", "output_item.added 1 function_call",
      "function_call_arguments.delta 1 {\"a\":", "function_call_arguments.delta 1 1}", "function_call_arguments.done 1",
      "output_item.done 1 function_call", "output_item.added 2 function_call", "function_call_arguments.delta 2 {}",
      "function_call_arguments.done 2", "output_item.done 2 function_call"},
     "completed"},
    {"FreeText",
     {call_of("note"), said(Kind::kCallArguments, "{\"input\": \"a\\n"), said(Kind::kCallArguments, "b\"}"),
      said(Kind::kCallEnd, ""), ended(Finish::kToolCalls)},
     {"output_item.added 0 custom_tool_call", "custom_tool_call_input.delta 0 a\nb", "custom_tool_call_input.done 0",
      "output_item.done 0 custom_tool_call"},
     "completed"},
    {"Patch",
     {call_of("apply_patch"), said(Kind::kCallArguments, R"({"type":"create_file","path":"a.txt","diff":"+hi"})"),
      said(Kind::kCallEnd, ""), ended(Finish::kToolCalls)},
     {"output_item.added 0 apply_patch_call", "output_item.done 0 apply_patch_call"},
     "completed"},
    {"HalfAPatch",
     {call_of("apply_patch"), said(Kind::kCallArguments, "{\"type\":"), ended(Finish::kLength)},
     {},
     "incomplete"},
    {"CutInReasoning",
     {said(Kind::kReasoning, "Hm"), ended(Finish::kLength)},
     {"output_item.added 0 reasoning", "content_part.added 0", "reasoning_text.delta 0 Hm", "reasoning_text.done 0",
      "content_part.done 0", "output_item.done 0 reasoning"},
     "incomplete"},
    {"CutInACall",
     {call_of("f"), said(Kind::kCallArguments, "{\"a"), ended(Finish::kLength)},
     {"output_item.added 0 function_call", "function_call_arguments.delta 0 {\"a", "function_call_arguments.done 0",
      "output_item.done 0 function_call"},
     "incomplete"},
    {"Nothing", {ended(Finish::kStop)}, {}, "completed"},
    {"Deadline", {ended(Finish::kDeadline)}, {}, "incomplete"},
    {"Failure", {ended(Finish::kError)}, {}, "failed"},
    {"EndedByTheServer", {ended(Finish::kCancelled)}, {}, "incomplete"},
};
INSTANTIATE_TEST_SUITE_P(Responses, Sequences, ::testing::ValuesIn(kCases),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(ResponsesWriter, TellsWhatItAnswered) {
  const Written written = write({said(Kind::kReasoning, "Hm"), said(Kind::kText, "Hi"), ended(Finish::kStop)},
                                options_for_tests(), {1234, false, {{"ttft", 0.5}}});
  const json::object& response = written.response;
  EXPECT_EQ(response.at("status"), "completed");
  EXPECT_EQ(response.at("completed_at"), 1234);
  EXPECT_EQ(response.at("ttft"), 0.5);
  EXPECT_EQ(response.at("usage"),
            *parse_json(R"({"input_tokens":10,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":0},
               "output_tokens":20,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":30})",
                        "usage"));
  EXPECT_EQ(response.at("output"),
            *parse_json(R"([{"id":"rs_abcdefghijklmnopqrstuvwxo0","type":"reasoning","summary":[],
               "content":[{"type":"reasoning_text","text":"Hm"}],"status":"completed"},
              {"id":"msg_abcdefghijklmnopqrstuvwxo1","type":"message","role":"assistant","phase":"final_answer",
               "content":[{"type":"output_text","text":"Hi","annotations":[],"logprobs":[]}],"status":"completed"}])",
                        "output"));
}

TEST(ResponsesWriter, ACancelOfTheClientIsNoFailure) {
  const Written written =
      write({said(Kind::kText, "Hi"), ended(Finish::kCancelled)}, options_for_tests(), {1, true, {}});
  EXPECT_EQ(broken_rule(written.events), "");
  EXPECT_EQ(written.response.at("status"), "cancelled");
  EXPECT_EQ(written.events.back().first, "response.incomplete");
}

TEST(ResponsesWriter, InTheBackgroundItIsQueuedFirst) {
  ResponsesWriterOptions options = options_for_tests();
  options.background = true;
  const Written written = write({ended(Finish::kStop)}, options);
  EXPECT_EQ(broken_rule(written.events), "");
  EXPECT_THAT(summary(written.events), ::testing::ElementsAre("created", "queued", "in_progress", "completed"));
}

TEST(ResponsesWriter, TellsLogprobsWithEachDeltaAndAtTheEnd) {
  AnswerEvent hi = said(Kind::kText, "Hi");
  hi.tokens = {{5, "Hi", -0.5f, {{6, "\xff", -1.5f}}}};
  const Written written = write({hi, ended(Finish::kStop)});
  const json::value expected = *parse_json(R"([{"token":"Hi","logprob":-0.5,"bytes":[72,105],
                      "top_logprobs":[{"token":"�","logprob":-1.5,"bytes":[255]}]}])",
                                           "logprobs");
  EXPECT_EQ(parse_json(written.events[4].second, "delta")->at("logprobs"), expected);
  EXPECT_EQ(written.response.at("output").at(0).at("content").at(0).at("logprobs"), expected);
}

TEST(ResponsesWriter, SealsReasoningWhereThatIsWanted) {
  ResponsesWriterOptions options = options_for_tests();
  options.seal = [](std::string_view text) { return "sealed " + std::string(text); };
  const Written written = write({said(Kind::kReasoning, "Hm"), ended(Finish::kStop)}, options);
  EXPECT_EQ(written.response.at("output").at(0).at("encrypted_content"), "sealed Hm");
}

/// Any answer, also one that keeps no order.
std::vector<AnswerEvent> random_answer(std::mt19937& random) {
  const auto below = [&](unsigned count) { return random() % count; };
  const char* const texts[] = {"a", "Grüße", "\"quoted\"\n", "\\", "{\"input\":\"x\"}", "[]", "\x01", "😀"};
  const char* const names[] = {"f", "note", "apply_patch", "unknown"};
  std::vector<AnswerEvent> answer;
  for (unsigned left = below(20); left > 0; --left) {
    const auto kind = static_cast<Kind>(below(6));
    if (kind == Kind::kCallBegin)
      answer.push_back(call_of(names[below(4)]));
    else
      answer.push_back(said(kind, kind == Kind::kCallEnd ? "" : texts[below(8)]));
    if (below(4) == 0 && kind == Kind::kText) answer.back().tokens = {{1, "x", -1.f, {}}};
  }
  answer.push_back(ended(static_cast<Finish>(below(6))));
  return answer;
}

TEST(ResponsesWriter, KeepsTheGrammarWhateverTheAnswerDoes) {
  for (unsigned seed = 0; seed < 20000; ++seed) {
    std::mt19937 random(seed);
    ResponsesWriterOptions options = options_for_tests();
    options.background = seed % 3 == 0;
    const Written written = write(random_answer(random), options, {1, seed % 2 == 0, {}});
    ASSERT_EQ(broken_rule(written.events), "") << "seed " << seed;
  }
}

TEST(ResponsesLog, GivesTheSameEventsAgainFromAnyPlace) {
  for (unsigned seed = 0; seed < 2000; ++seed) {
    std::mt19937 random(seed);
    const std::vector<AnswerEvent> answer = random_answer(random);
    const ResponsesEnd end{77, seed % 2 == 0, {{"ttft", 0.25}}};
    const Written written = write(answer, options_for_tests(), end);
    ResponsesLog log;
    for (const AnswerEvent& event : answer) event.kind == Kind::kEnd ? log.end(event, end) : log.add(event);

    // What a restarted server has: the body and the log.
    const ReasoningSeal seal(ReasoningSeal::Key{});
    const ResponsesWriterOptions options = writer_options_of(written.response, seal, 0);
    ASSERT_EQ(events_of_sse(replayed_events(log.text(), options, -1)), written.events) << "seed " << seed;
    const auto half = static_cast<std::ptrdiff_t>(written.events.size() / 2);
    ASSERT_EQ(events_of_sse(replayed_events(log.text(), options, half - 1)),
              std::vector<WrittenEvent>(written.events.begin() + half, written.events.end()));
  }
}

TEST(ResponsesLog, PassesOverWhatIsDamaged) {
  ResponsesWriter writer(options_for_tests(), {});
  replay("[0,\"a\"\nnull\n[99]\n[]\n[2]\n[3,1]\n[6,7]\n[2,\"later\"]\n", writer);
  EXPECT_TRUE(writer.ended());
}

/// With sequence numbers that rise again: what was done to the events must be seen by other rules.
std::vector<WrittenEvent> renumbered(std::vector<WrittenEvent> events) {
  for (size_t i = 0; i < events.size(); ++i) {
    json::value event = *parse_json(events[i].second, "event");
    event.as_object()["sequence_number"] = i;
    events[i].second = json::serialize(event);
  }
  return events;
}

// The checker itself must be able to fail.
TEST(EventGrammar, SeesWhatIsBroken) {
  const std::vector<WrittenEvent> good =
      write({said(Kind::kReasoning, "Hm"), said(Kind::kText, "Hi"), call_of("f"), said(Kind::kCallArguments, "{}"),
             said(Kind::kCallEnd, ""), ended(Finish::kToolCalls)})
          .events;
  ASSERT_EQ(broken_rule(good), "");
  for (size_t i = 0; i < good.size(); ++i) {
    std::vector<WrittenEvent> missing = good, twice = good, renamed = good;
    missing.erase(missing.begin() + static_cast<std::ptrdiff_t>(i));
    twice.insert(twice.begin() + static_cast<std::ptrdiff_t>(i), good[i]);
    renamed[i].first = "response.other";
    EXPECT_NE(broken_rule(missing), "") << i;
    EXPECT_NE(broken_rule(renumbered(missing)), "") << i;
    EXPECT_NE(broken_rule(renumbered(twice)), "") << i;
    EXPECT_NE(broken_rule(renamed), "") << i;
    if (i + 1 == good.size()) continue;
    std::vector<WrittenEvent> swapped = good;
    std::swap(swapped[i], swapped[i + 1]);
    EXPECT_NE(broken_rule(renumbered(swapped)), "") << i;
  }
}

}  // namespace
}  // namespace gossamer::server
