/// Texts under the masks of schemas, for validators of other languages: a line of JSON for each schema.
///
///     grammar_samples COUNT      {"name", "schema", "texts": COUNT texts, fewer where a walk did not end}

#include <cstdio>
#include <cstdlib>

#include "base/json.h"
#include "grammar/grammar_engine.h"
#include "grammar/grammar_walk.h"
#include "grammar/schema_check.h"

using namespace gossamer;
using namespace gossamer::grammar;

namespace {

constexpr size_t kMaxTokens = 1500;

Result<json::object> samples(GrammarEngine& engine, const std::string& name, const std::string& text, size_t count) {
  GOS_TRY(const json::value schema, parse_schema(text));
  GOS_TRY(const GrammarSpec spec, GrammarSpec::json_schema(schema));
  GOS_TRY(const auto constraint, engine.compile(spec));
  testing::WalkSampler sampler(*testing::demo_tokenizer(), 7);
  json::array texts;
  for (size_t i = 0; i < count; ++i)
    if (const auto tokens = testing::walk(*constraint->clone(), sampler, kMaxTokens))
      texts.emplace_back(testing::text_of(*testing::demo_tokenizer(), *tokens));
  return json::object{{"name", name}, {"schema", schema}, {"texts", std::move(texts)}};
}

}  // namespace

int main(int argc, char** argv) {
  const size_t count = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 20;
  GrammarEngine engine(testing::demo_tokenizer());
  for (const auto& [name, text] : testing::good_schemas()) {
    const Result<json::object> line = samples(engine, name, text, count);
    if (!line.ok()) {
      std::fprintf(stderr, "%s: %s\n", name.c_str(), line.error().message.c_str());
      return 1;
    }
    std::printf("%s\n", json::serialize(*line).c_str());
  }
  return 0;
}
