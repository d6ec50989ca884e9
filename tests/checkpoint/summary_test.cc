#include "checkpoint/summary.h"

#include <gtest/gtest.h>

#include "checkpoint/model_facts.h"
#include "checkpoint/temp_folder.h"
#include "checkpoint/tiny_checkpoint.h"
#include "checkpoint/tiny_gguf.h"

namespace gossamer::testing {
namespace {

class SummaryTest : public ::testing::Test {
 protected:
  SummaryTest() { write_hugging_face(folder_ / "tiny", tiny_config(), 1, 2); }

  Checkpoint open(const std::string& path) {
    auto checkpoint = Checkpoint::open(path);
    GOS_CHECK(checkpoint.ok());
    return std::move(*checkpoint);
  }

  TempFolder folder_;
};

TEST_F(SummaryTest, TheTable) {
  EXPECT_EQ(show_text(open(folder_ / "tiny")), fmt::format(R"(tiny
  from         {}/tiny
  format       safetensors (Hugging Face layout)
  parameters   185.6 k total, 105.7 k active for a token
  layers       2: 1 with a sliding window of 8, 1 with full attention
  hidden       64, intermediate 96
  heads        4 for queries, 2 for keys and values, 16 wide
  experts      4 in a layer, 2 active for a token
  vocabulary   80
  context      256 tokens (64 before YaRN, factor 4)

  part       parameters  stored as          size   share
  embedding       5.1 k  BF16            10.2 kB   6.6 %  #
  attention      25.0 k  BF16            49.9 kB  32.3 %  ######
  router            520  BF16             1.0 kB   0.7 %
  experts       149.5 k  MXFP4, BF16     82.4 kB  53.3 %  ###########
  head            5.1 k  BF16            10.2 kB   6.6 %  #
  norms             320  BF16              640 B   0.4 %
  all           185.6 k                 154.5 kB

  2 files, 158.7 kB
    model-00000-of-00001.safetensors            79.3 kB
    model-00001-of-00001.safetensors            79.5 kB

  memory for one conversation: weights 154.5 kB, and 512 B a token for keys and values
        256 tokens     285.6 kB
)",
                                                           folder_.path()));
}

TEST_F(SummaryTest, TheJsonSaysTheSame) {
  const Checkpoint checkpoint = open(folder_ / "tiny");
  const ModelFacts facts = compute_facts(checkpoint);
  const json::object shown = show_json(checkpoint);
  EXPECT_EQ(shown.at("parameters").at("total").to_number<uint64_t>(), facts.total_parameters);
  EXPECT_EQ(shown.at("parameters").at("active").to_number<uint64_t>(), facts.active_parameters);
  EXPECT_EQ(shown.at("layers").at("sliding").to_number<uint64_t>(), 1u);
  EXPECT_EQ(shown.at("files").as_array().size(), 2u);
  uint64_t bytes = 0;
  double share = 0;
  for (const json::value& part : shown.at("parts").as_array()) {
    bytes += part.at("bytes").to_number<uint64_t>();
    share += part.at("share").to_number<double>();
  }
  EXPECT_EQ(bytes, shown.at("weight_bytes").to_number<uint64_t>());
  EXPECT_DOUBLE_EQ(share, 1);
}

TEST_F(SummaryTest, EveryByteOfEveryTensorIsCounted) {
  write_original(folder_ / "original", tiny_config(), 1);
  write_file(folder_ / "x.gguf", gguf_model(tiny_config(), 1).bytes());
  write_file(folder_ / "y.gguf", gguf_model(tiny_config(), 1, GgufFlavour::kOllamaFused).bytes());
  const uint64_t parameters = compute_facts(open(folder_ / "tiny")).total_parameters;
  for (const char* name : {"tiny", "original", "x.gguf", "y.gguf"}) {
    const Checkpoint checkpoint = open(folder_ / name);
    const ModelFacts facts = compute_facts(checkpoint);
    uint64_t stored = 0;
    for (const StoredTensor& tensor : checkpoint.stored_tensors()) stored += tensor.size_bytes;
    EXPECT_EQ(facts.weight_bytes, stored) << name;
    EXPECT_EQ(facts.total_parameters, parameters) << name;
    EXPECT_GT(facts.file_bytes, facts.weight_bytes) << name;
  }
}

}  // namespace
}  // namespace gossamer::testing
