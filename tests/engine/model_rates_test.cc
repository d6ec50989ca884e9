#include "engine/model_rates.h"

#include <gmock/gmock.h>

#include "checkpoint/temp_folder.h"
#include "checkpoint/tiny_checkpoint.h"

namespace gossamer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

double median_of(std::vector<double> ascending) {
  ModelRate rate;
  rate.tokens_per_second = std::move(ascending);
  return rate.median();
}

TEST(ModelRates, MedianOfAnEvenNumberIsTheMeanOfTheMiddleTwo) {
  EXPECT_EQ(median_of({3, 5}), 4);
  EXPECT_EQ(median_of({1, 2, 4, 100}), 3);
  EXPECT_EQ(median_of({1, 2, 100}), 2);
  EXPECT_EQ(median_of({7}), 7);
  EXPECT_EQ(median_of({}), 0);
}

RateOptions lengths(std::vector<uint32_t> prompts, std::vector<uint32_t> depths, uint32_t decode_tokens) {
  RateOptions options;
  options.prefill_tokens = std::move(prompts);
  options.depths = std::move(depths);
  options.decode_tokens = decode_tokens;
  return options;
}

std::string complaint(const RateOptions& options) {
  ModelConfig config;
  config.max_context = 1000;
  const Status checked = check_lengths(options, config);
  return checked.ok() ? "" : checked.error().message;
}

TEST(ModelRates, LengthsFitTheContextOrAreRefused) {
  EXPECT_EQ(complaint(lengths({1, 1000}, {0, 990}, 10)), "");
  EXPECT_THAT(complaint(lengths({1, 1001}, {0}, 10)), AllOf(HasSubstr("1001"), HasSubstr("1000")));
  EXPECT_THAT(complaint(lengths({}, {0, 991}, 10)), AllOf(HasSubstr("991"), HasSubstr("1001"), HasSubstr("1000")));
  EXPECT_EQ(complaint(lengths({}, {991}, 0)), "") << "nothing is decoded";
  EXPECT_THAT(complaint(lengths({}, {4294967295u}, 2)), HasSubstr("4294967297")) << "beyond 32 bits";
}

class TinyModelRates : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::write_hugging_face(folder_.path(), testing::tiny_config(), 3);
    LoadOptions options;
    options.num_threads = 2;
    options.need_tokenizer = false;
    options.instrument = [this](std::unique_ptr<kernels::Backend> backend) {
      auto measured = std::make_unique<kernels::MeasuredBackend>(std::move(backend));
      backend_ = measured.get();
      return measured;
    };
    auto loaded = LoadedModel::load(folder_.path(), options);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    loaded_ = std::move(loaded).value();
  }

  Result<std::vector<ModelRate>> measure(const RateOptions& options, uint64_t most_passes = ~0ull) {
    return measure_rates(
        *loaded_, *backend_, options, [](const ModelRate&) {}, [&] { return passes_++ < most_passes; });
  }

  testing::TempFolder folder_;
  std::unique_ptr<LoadedModel> loaded_;
  kernels::MeasuredBackend* backend_ = nullptr;
  uint64_t passes_ = 0;
};

std::vector<std::string> names_of(const std::vector<ModelRate>& rates) {
  std::vector<std::string> names;
  for (const ModelRate& rate : rates) names.push_back(rate.name);
  return names;
}

TEST_F(TinyModelRates, AreNamedByWhatWasMeasured) {
  RateOptions options = lengths({3, 5}, {0, 4}, 2);
  options.parallel = {1, 3};
  options.runs = 2;
  const auto rates = measure(options);
  ASSERT_TRUE(rates.ok()) << rates.error().message;
  EXPECT_THAT(names_of(*rates), ElementsAre("pp3", "pp5", "tg2@0", "tg2@4", "tg2x1@0", "tg2x3@0"));
  for (const ModelRate& rate : *rates) {
    ASSERT_EQ(rate.tokens_per_second.size(), 2u);
    EXPECT_LE(rate.tokens_per_second[0], rate.tokens_per_second[1]);
    EXPECT_GT(rate.tokens_per_second[0], 0);
  }
}

TEST_F(TinyModelRates, ComputePromptsInChunks) {
  RateOptions options = lengths({10}, {0}, 0);
  options.runs = 2;
  options.chunk_tokens = 4;
  const auto rates = measure(options);
  ASSERT_TRUE(rates.ok()) << rates.error().message;
  EXPECT_EQ(rates->at(0).ledger.at({.op = kernels::Op::kEmbed}).calls, 6u) << "4 + 4 + 2 tokens, twice";
}

TEST_F(TinyModelRates, AreThoseOfWholeFiguresWhereItIsStopped) {
  RateOptions options = lengths({3, 5}, {0}, 2);
  options.runs = 1;
  const auto rates = measure(options, 3);  // a warm-up and a run, then the warm-up of the next
  ASSERT_TRUE(rates.ok()) << rates.error().message;
  EXPECT_THAT(names_of(*rates), ElementsAre("pp3"));
}

TEST_F(TinyModelRates, AreRefusedBeforeAnythingIsComputed) {
  const auto rates = measure(lengths({3}, {4294967295u}, 2));
  ASSERT_FALSE(rates.ok());
  EXPECT_THAT(rates.error().message, HasSubstr("4294967297"));
  EXPECT_EQ(passes_, 0u);
}

}  // namespace
}  // namespace gossamer
