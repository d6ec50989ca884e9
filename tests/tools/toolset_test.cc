#include "tools/toolset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gossamer::tools {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ToolWords, CommasPartToolsAndNotCommands) {
  EXPECT_THAT(split_tool_words("python,browser"), ElementsAre("python", "browser"));
  EXPECT_THAT(split_tool_words("demo"), ElementsAre("python", "browser"));
  EXPECT_THAT(split_tool_words("mcp:server --a=1,2 --b,mcp:http://h/mcp,python"),
              ElementsAre("mcp:server --a=1,2 --b", "mcp:http://h/mcp", "python"));
  EXPECT_THAT(split_tool_words("mcp:x,browserish"), ElementsAre("mcp:x,browserish"));
  EXPECT_THAT(split_tool_words(",,"), ElementsAre());
}

TEST(Toolset, NamesWhatIsWrong) {
  EXPECT_THAT(Toolset::create({"calculator"}, {}).error().message, HasSubstr("calculator is no tool"));
  EXPECT_THAT(Toolset::create({"browser", "browser"}, {}).error().message, HasSubstr("two tools"));
  EXPECT_THAT(Toolset::create({"mcp:/no/such/server"}, {}).error().message, HasSubstr("cannot run"));
  EXPECT_THAT(Toolset::create({"mcp:python=/bin/true"}, {}).error().message, HasSubstr("another name"));
  ToolsetOptions options;
  options.browser.search_url = "not an address";
  EXPECT_FALSE(Toolset::create({"browser"}, options).ok());
}

TEST(Toolset, FindsByRecipient) {
  const Result<Toolset> set = Toolset::create({"browser"}, {});
  ASSERT_TRUE(set.ok());
  EXPECT_NE(set->find("browser.open"), nullptr);
  for (const char* other : {"browser", "browser.", "browser.fly", "browser.opening", "python", "functions.open", ""})
    EXPECT_EQ(set->find(other), nullptr) << other;
}

}  // namespace
}  // namespace gossamer::tools
