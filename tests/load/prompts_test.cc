#include "load/prompts.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace gossamer::load {
namespace {

TEST(Prompts, OneALine) {
  const auto prompts = parse_prompts("Hello\r\n\n \t\n\"quoted\" {text}\nlast", "p.txt");
  ASSERT_TRUE(prompts.ok());
  ASSERT_EQ(prompts->size(), 3u);
  EXPECT_EQ((*prompts)[0].text, "Hello");
  EXPECT_EQ((*prompts)[1].text, "\"quoted\" {text}");
  EXPECT_EQ((*prompts)[2].text, "last");
}

TEST(Prompts, OneObjectALine) {
  const auto prompts = parse_prompts(
      "{\"prompt\": \"Hi\", \"more\": 1}\n{\"messages\": [{\"role\": \"user\", \"content\": \"Ho\"}]}\n", "p.jsonl");
  ASSERT_TRUE(prompts.ok()) << prompts.error().message;
  EXPECT_EQ((*prompts)[0].text, "Hi");
  EXPECT_EQ((*prompts)[1].messages.size(), 1u);
}

TEST(Prompts, WhatIsWrongIsNamedByItsLine) {
  for (const char* line : {"no object", "{\"prompt\": 5}", "{\"messages\": []}", "{\"text\": \"x\"}", "[1]", "{"}) {
    const auto prompts = parse_prompts(std::string("{\"prompt\": \"Hi\"}\n\n") + line + "\n", "p.jsonl");
    ASSERT_FALSE(prompts.ok()) << line;
    EXPECT_NE(prompts.error().message.find("p.jsonl line 3"), std::string::npos) << prompts.error().message;
  }
}

TEST(Prompts, NoneAtAll) {
  for (const char* text : {"", "\n\n", "  \n"}) EXPECT_FALSE(parse_prompts(text, "p").ok());
}

TEST(Prompts, MadeUpOnesHaveTheirLengthAndFollowFromTheirSeed) {
  const std::string text = made_up_prompt(50, 1).text;
  EXPECT_EQ(std::count(text.begin(), text.end(), ' '), 49);
  EXPECT_EQ(made_up_prompt(50, 1).text, text);
  EXPECT_NE(made_up_prompt(50, 2).text, text);
}

}  // namespace
}  // namespace gossamer::load
