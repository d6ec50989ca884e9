#include "cli/suggest.h"

#include <gtest/gtest.h>

#include <vector>

namespace gossamer::cli {
namespace {

const std::vector<std::string> kWords = {"run", "chat", "show", "tokenize", "detokenize", "temperature"};

TEST(Suggest, FindsWhatWasMeant) {
  EXPECT_EQ(suggest("rum", kWords), "run");
  EXPECT_EQ(suggest("hcat", kWords), "chat");
  EXPECT_EQ(suggest("tokenise", kWords), "tokenize");
  EXPECT_EQ(suggest("detokenise", kWords), "detokenize");
  EXPECT_EQ(suggest("temprature", kWords), "temperature");
}

TEST(Suggest, IsSilentWhereNothingIsNear) {
  EXPECT_EQ(suggest("serve", kWords), "");
  EXPECT_EQ(suggest("", kWords), "");
  EXPECT_EQ(suggest("x", {}), "");
  EXPECT_EQ(suggest(std::string(100000, 'r'), kWords), "");
}

}  // namespace
}  // namespace gossamer::cli
