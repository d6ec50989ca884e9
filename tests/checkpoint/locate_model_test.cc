#include "checkpoint/locate_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include "checkpoint/checkpoint.h"
#include "checkpoint/model_name.h"
#include "checkpoint/split_name.h"
#include "checkpoint/temp_folder.h"
#include "checkpoint/tiny_checkpoint.h"

namespace gossamer::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// Three empty places and a demo model.
class LocateModelTest : public ::testing::Test {
 protected:
  LocateModelTest() {
    search_ = {.own_cache = folder_ / "own",
               .hugging_face_cache = folder_ / "hub",
               .demo_folder = folder_ / "demo",
               .ollama_store = folder_ / "ollama"};
    add("demo/config.json");
  }

  /// An empty file below the folder.
  void add(const std::string& name) { add(name, ""); }
  void add(const std::string& name, const std::string& content) {
    fs::create_directories(fs::path(folder_ / name).parent_path());
    write_file(folder_ / name, content);
  }

  /// The path found, below the folder; or the error.
  std::string locate(const std::string& name) {
    const auto path = locate_model(name, search_);
    if (!path.ok()) return "error: " + path.error().message;
    return path->starts_with(folder_.path()) ? path->substr(folder_.path().size() + 1) : *path;
  }

  TempFolder folder_;
  ModelSearchPath search_;
};

TEST_F(LocateModelTest, APathIsItself) {
  add("any/config.json");
  add("one/weights.gguf");
  EXPECT_EQ(locate(folder_ / "any"), "any");
  EXPECT_EQ(locate(folder_ / "one"), "one/weights.gguf");
  EXPECT_EQ(locate(folder_ / "one/weights.gguf"), "one/weights.gguf");
  add("original-only/original/config.json");
  EXPECT_EQ(locate(folder_ / "original-only"), "original-only");
}

TEST_F(LocateModelTest, AFolderOfGgufFilesIsItsOneModel) {
  add("split/m-00002-of-00002.gguf");
  add("split/m-00001-of-00002.gguf");
  EXPECT_EQ(locate(folder_ / "split"), "split/m-00001-of-00002.gguf");
  add("several/m-F16.gguf");
  add("several/m-MXFP4.gguf");
  EXPECT_EQ(locate(folder_ / "several"), "several/m-MXFP4.gguf");
  add("doubtful/a.gguf");
  add("doubtful/b.gguf");
  EXPECT_EQ(locate(folder_ / "doubtful"), "error: " + (folder_ / "doubtful") + " holds 2 models, name one of them: " +
                                              (folder_ / "doubtful/a.gguf") + ", " + (folder_ / "doubtful/b.gguf"));
  add("empty/readme");
  EXPECT_EQ(
      locate(folder_ / "empty"),
      "error: " + (folder_ / "empty") + " is a folder without a model: neither config.json nor a .gguf file is in it");
}

TEST_F(LocateModelTest, EverySpellingFindsTheModelInTheHuggingFaceCache) {
  add("hub/models--openai--gpt-oss-20b/snapshots/abc/config.json");
  add("hub/models--openai--gpt-oss-20b/refs/main", "abc");
  add("hub/models--openai--gpt-oss-120b/snapshots/def/config.json");
  for (const char* name :
       {"gpt-oss:20b", "gpt-oss-20b", "GPT-OSS-20B", "gpt-oss:latest", "gpt-oss", "openai/gpt-oss-20b",
        "OpenAI/GPT-OSS-20b", "hf.co/openai/gpt-oss-20b", "gpt-oss-20b:latest", "gpt-oss:20b-mxfp4"})
    EXPECT_EQ(locate(name), "hub/models--openai--gpt-oss-20b/snapshots/abc") << name;
  for (const char* name : {"gpt-oss:120b", "gpt-oss-120b", "openai/gpt-oss-120b"})
    EXPECT_EQ(locate(name), "hub/models--openai--gpt-oss-120b/snapshots/def") << name;
}

TEST_F(LocateModelTest, TheRevisionThatMainNamesIsTaken) {
  add("hub/models--openai--gpt-oss-20b/snapshots/aaa/config.json");
  add("hub/models--openai--gpt-oss-20b/snapshots/bbb/config.json");
  add("hub/models--openai--gpt-oss-20b/snapshots/ccc/config.json");
  const auto write_time = [&](const char* revision, int hour) {
    fs::last_write_time(folder_ / ("hub/models--openai--gpt-oss-20b/snapshots/" + std::string(revision)),
                        fs::file_time_type(std::chrono::hours(hour)));
  };
  write_time("aaa", 1), write_time("bbb", 3), write_time("ccc", 2);
  EXPECT_EQ(locate("gpt-oss-20b"), "hub/models--openai--gpt-oss-20b/snapshots/bbb");  // the newest
  add("hub/models--openai--gpt-oss-20b/refs/main", "ccc\n");
  EXPECT_EQ(locate("gpt-oss-20b"), "hub/models--openai--gpt-oss-20b/snapshots/ccc");
  for (const char* hostile : {"../../../demo", "/etc", "", ".", ".."}) {
    add("hub/models--openai--gpt-oss-20b/refs/main", hostile);
    EXPECT_EQ(locate("gpt-oss-20b"), "hub/models--openai--gpt-oss-20b/snapshots/bbb") << hostile;
  }
}

TEST_F(LocateModelTest, SnapshotsOfLinksToBlobsOpenUnderTheRepositorysName) {
  const std::string repository = folder_ / "hub/models--openai--gpt-oss-20b";
  write_hugging_face(folder_ / "plain", tiny_config(), 1);
  fs::create_directories(repository + "/blobs");
  fs::create_directories(repository + "/snapshots/abc");
  for (const char* file : {"config.json", "model.safetensors"}) {
    fs::rename(folder_ / ("plain/" + std::string(file)), repository + "/blobs/" + file);
    fs::create_symlink(std::string("../../blobs/") + file, repository + "/snapshots/abc/" + file);
  }
  const auto path = locate_model("gpt-oss-20b", search_);
  ASSERT_TRUE(path.ok()) << path.error().message;
  const auto checkpoint = Checkpoint::open(*path);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
  EXPECT_EQ(checkpoint->name(), "openai/gpt-oss-20b");
}

TEST_F(LocateModelTest, OpenAIsOwnRepositoryComesFirstAndAnOrganisationIsObeyed) {
  add("hub/models--aaa--gpt-oss-20b/snapshots/1/config.json");
  add("hub/models--ggml-org--gpt-oss-20b-GGUF/snapshots/2/gpt-oss-20b-mxfp4.gguf");
  add("hub/models--openai--gpt-oss-20b/snapshots/3/config.json");
  EXPECT_EQ(locate("gpt-oss-20b"), "hub/models--openai--gpt-oss-20b/snapshots/3");
  EXPECT_EQ(locate("ggml-org/gpt-oss-20b-GGUF"),
            "hub/models--ggml-org--gpt-oss-20b-GGUF/snapshots/2/gpt-oss-20b-mxfp4.gguf");
  EXPECT_EQ(locate("aaa/gpt-oss-20b"), "hub/models--aaa--gpt-oss-20b/snapshots/1");
  EXPECT_THAT(locate("bbb/gpt-oss-20b"),
              AllOf(HasSubstr("there is no model bbb/gpt-oss-20b"), HasSubstr("`hf download bbb/gpt-oss-20b`")));
  fs::remove_all(folder_ / "hub/models--openai--gpt-oss-20b");
  EXPECT_EQ(locate("gpt-oss-20b"), "hub/models--ggml-org--gpt-oss-20b-GGUF/snapshots/2/gpt-oss-20b-mxfp4.gguf");
}

TEST_F(LocateModelTest, TheOwnCacheComesFirst) {
  add("hub/models--openai--gpt-oss-20b/snapshots/1/config.json");
  add("own/gpt-oss-20b/config.json");
  add("own/gpt-oss-120b-mxfp4-00001-of-00003.gguf");
  add("own/Mine.gguf");
  add("own/some/thing/config.json");
  EXPECT_EQ(locate("gpt-oss:20b"), "own/gpt-oss-20b");
  EXPECT_EQ(locate("gpt-oss:120b"), "own/gpt-oss-120b-mxfp4-00001-of-00003.gguf");
  EXPECT_EQ(locate("mine"), "own/Mine.gguf");
  EXPECT_EQ(locate("some/thing"), "own/some/thing");
  EXPECT_EQ(locate("thing"), "own/some/thing");
}

TEST_F(LocateModelTest, OllamasStoreIsReadByItsManifest) {
  const std::string digest(64, 'a');
  const std::string manifest = "ollama/manifests/registry.ollama.ai/library/gpt-oss/20b";
  add(manifest, R"({"layers": [{"mediaType": "application/vnd.ollama.image.license", "digest": "sha256:0"},
                               {"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:)" +
                    digest + R"("}]})");
  EXPECT_THAT(locate("gpt-oss:20b"), HasSubstr("there is no model"));  // its blob is not there
  add("ollama/blobs/sha256-" + digest);
  EXPECT_EQ(locate("gpt-oss:20b"), "ollama/blobs/sha256-" + digest);
  EXPECT_EQ(locate("gpt-oss-20b"), "ollama/blobs/sha256-" + digest);
  for (const char* hostile : {"sha256:../../demo/config.json", "sha256:", "md5:00", ""}) {
    add(manifest,
        fmt::format(R"({{"layers": [{{"mediaType": "application/vnd.ollama.image.model", "digest": "{}"}}]}})",
                    hostile));
    EXPECT_THAT(locate("gpt-oss:20b"), HasSubstr("there is no model")) << hostile;
  }
  add(manifest, "[");
  EXPECT_THAT(locate("gpt-oss:20b"), HasSubstr("there is no model"));
}

TEST_F(LocateModelTest, TheDemoModelIsThere) {
  EXPECT_EQ(locate("gossamer-mini"), "demo");
  EXPECT_EQ(locate("gossamer-mini:latest"), "demo");
  fs::remove_all(folder_ / "demo");
  EXPECT_THAT(locate("gossamer-mini"), HasSubstr("it comes with the source tree of gossamer"));
}

TEST_F(LocateModelTest, AMissingModelIsToldWithWhereAndHow) {
  EXPECT_EQ(locate("gpt-oss:20b"),
            fmt::format("error: there is no model gpt-oss:20b in {0}/own, {0}/hub, {0}/ollama: get it (14 GB) with "
                        "`hf download openai/gpt-oss-20b --exclude \"*/*\"` or `ollama pull gpt-oss:20b`; there is: "
                        "gossamer-mini",
                        folder_.path()));
  add("own/gpt-oss-120b/config.json");
  EXPECT_THAT(locate("gpt-oss-12b"), AllOf(HasSubstr("gossamer runs gpt-oss-20b, gpt-oss-120b and gossamer-mini"),
                                           HasSubstr("; there is: gpt-oss-120b, gossamer-mini")));
  EXPECT_EQ(locate("./absent"), "error: there is no file or folder ./absent");
  EXPECT_EQ(locate("absent.gguf"), "error: there is no file or folder absent.gguf");
  EXPECT_EQ(locate(""), "error: the name of the model is empty");
  EXPECT_EQ(locate(std::string("a\0b", 3)), "error: the name of the model is empty");
  EXPECT_THAT(locate(std::string(100000, 'x')), HasSubstr("there is no model xxx"));
  EXPECT_THAT(locate("a\x1b[31mb"), Not(HasSubstr("\x1b")));
  search_ = {};
  EXPECT_EQ(locate("nothing"),
            "error: there is no model nothing: gossamer runs gpt-oss-20b, gpt-oss-120b and "
            "gossamer-mini, or a folder or .gguf file named by its path");
}

TEST_F(LocateModelTest, AFolderWithoutAModelDoesNotHideTheModelOfItsName) {
  add("own/gpt-oss-20b/config.json");
  add("here/gpt-oss-20b/readme");
  const fs::path before = fs::current_path();
  fs::current_path(folder_ / "here");
  const std::string found = locate("gpt-oss-20b"), path = locate("./gpt-oss-20b");
  fs::current_path(before);
  EXPECT_EQ(found, "own/gpt-oss-20b");
  EXPECT_THAT(path, HasSubstr("is a folder without a model"));
}

/// Sets environment variables and puts the old values back.
class Environment {
 public:
  explicit Environment(const std::map<std::string, std::string>& values) {
    for (const char* name : kNames) {
      const char* old = std::getenv(name);
      old_.emplace_back(name, old ? std::optional<std::string>(old) : std::nullopt);
      const auto value = values.find(name);
      set(name, value == values.end() ? std::nullopt : std::optional(value->second));
    }
  }
  ~Environment() {
    for (const auto& [name, value] : old_) set(name.c_str(), value);
  }

 private:
  static constexpr const char* kNames[] = {"GOSSAMER_HOME", "XDG_CACHE_HOME", "HF_HUB_CACHE",
                                           "HF_HOME",       "OLLAMA_MODELS",  "HOME"};
  static void set(const char* name, const std::optional<std::string>& value) {
    if (value) {
      ::setenv(name, value->c_str(), 1);
    } else {
      ::unsetenv(name);
    }
  }
  std::vector<std::pair<std::string, std::optional<std::string>>> old_;
};

TEST(ModelSearchPath, FollowsTheEnvironment) {
  const auto places = [](const std::map<std::string, std::string>& values) {
    const Environment environment(values);
    const auto search = ModelSearchPath::from_environment("/demo");
    EXPECT_EQ(search.demo_folder, "/demo");
    return std::vector{search.own_cache, search.hugging_face_cache};
  };
  using ::testing::ElementsAre;
  EXPECT_THAT(places({{"HOME", "/h"}}), ElementsAre("/h/.cache/gossamer/models", "/h/.cache/huggingface/hub"));
  EXPECT_THAT(places({{"HOME", "/h"}, {"XDG_CACHE_HOME", "/c"}}),
              ElementsAre("/c/gossamer/models", "/c/huggingface/hub"));
  EXPECT_THAT(places({{"HOME", "/h"}, {"GOSSAMER_HOME", "/g"}, {"HF_HOME", "/f"}}), ElementsAre("/g/models", "/f/hub"));
  EXPECT_THAT(places({{"HF_HUB_CACHE", "/x"}, {"HF_HOME", "/f"}}), ElementsAre("", "/x"));
}

TEST(SplitName, IsReadAndWritten) {
  const auto split = parse_split_name("a/m-00002-of-00013.gguf");
  ASSERT_TRUE(split.has_value());
  EXPECT_EQ(split->stem, "a/m");
  EXPECT_EQ(split->number, 2u);
  EXPECT_EQ(split->count, 13u);
  EXPECT_EQ(split_name(*split, 7), "a/m-00007-of-00013.gguf");
  for (const char* name : {"m.gguf", "m-2-of-13.gguf", "m-00002-of-0001x.gguf", "m-00002-of-00013.bin",
                           "-00002-of-00013.gguf", "m_00002-of-00013.gguf", ""})
    EXPECT_FALSE(parse_split_name(name).has_value()) << name;
}

TEST(ModelName, RepositoryOfACacheFolder) {
  EXPECT_EQ(repository_of("models--openai--gpt-oss-20b"), "openai/gpt-oss-20b");
  EXPECT_EQ(repository_of("models--gpt2"), "gpt2");
  EXPECT_EQ(repository_of("datasets--a--b"), std::nullopt);
}

}  // namespace
}  // namespace gossamer::testing
