#include "server/responses_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>

namespace gossamer::server {
namespace {

namespace fs = std::filesystem;

/// A folder that goes with the test.
class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "gossamer-store-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path_); }
  std::string file(const char* name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

std::unique_ptr<ResponsesStore> open(ResponsesStoreOptions options) {
  Result<std::unique_ptr<ResponsesStore>> store = ResponsesStore::open(std::move(options));
  EXPECT_TRUE(store.ok()) << store.error().message;
  return std::move(*store);
}

StoredResponse response(std::string id, TenantId tenant = 1, std::string previous = "", size_t bytes = 10) {
  return {std::move(id), tenant, std::move(previous), "{\"pad\":\"" + std::string(bytes, 'x') + "\"}", "[]", ""};
}

std::optional<StoredResponse> get(ResponsesStore& store, const std::string& id, TenantId tenant = 1) {
  std::promise<std::optional<StoredResponse>> promise;
  store.get(id, tenant, [&](std::optional<StoredResponse> found) { promise.set_value(std::move(found)); });
  return promise.get_future().get();
}

ResponsesStore::Chain chain(ResponsesStore& store, const std::string& id, std::vector<std::string> more = {},
                            TenantId tenant = 1) {
  std::promise<ResponsesStore::Chain> promise;
  store.get_chain(id, std::move(more), tenant,
                  [&](ResponsesStore::Chain found) { promise.set_value(std::move(found)); });
  return promise.get_future().get();
}

bool erase(ResponsesStore& store, const std::string& id, TenantId tenant = 1) {
  std::promise<bool> promise;
  store.erase(id, tenant, [&](bool done) { promise.set_value(done); });
  return promise.get_future().get();
}

std::vector<std::string> ids(const std::vector<StoredResponse>& responses) {
  std::vector<std::string> ids;
  for (const StoredResponse& one : responses) ids.push_back(one.id);
  return ids;
}

TEST(ResponsesStore, GivesBackWhatWasPut) {
  const auto store = open({});
  StoredResponse put = response("a");
  put.body = std::string(
      "{\"text\":\"Gr\xc3\xbc\xc3\x9f"
      "e\",\"zero\":\"a\0b\"}",
      32);
  put.input = "[1]";
  put.log = "[0,\"x\"]\n";
  ASSERT_TRUE(store->put(put));
  const auto found = get(*store, "a");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->body, put.body);
  EXPECT_EQ(found->input, put.input);
  EXPECT_EQ(found->log, put.log);
  EXPECT_FALSE(get(*store, "b"));
}

TEST(ResponsesStore, TenantsAreApart) {
  const auto store = open({});
  store->put(response("a", 1));
  store->put(response("b", ~uint64_t{0}));
  store->put(response("c", 2, "a"));
  EXPECT_FALSE(get(*store, "a", 2));
  EXPECT_TRUE(get(*store, "b", ~uint64_t{0}));
  EXPECT_EQ(chain(*store, "c", {}, 2).missing, "a");
  EXPECT_FALSE(erase(*store, "a", 2));
  EXPECT_TRUE(get(*store, "a", 1));
}

TEST(ResponsesStore, ChainsAndBranches) {
  const auto store = open({});
  store->put(response("a"));
  store->put(response("b", 1, "a"));
  store->put(response("c", 1, "b"));
  store->put(response("other", 1, "a"));
  EXPECT_THAT(ids(chain(*store, "c").responses), ::testing::ElementsAre("a", "b", "c"));
  const auto branch = chain(*store, "other", {"c", "nothing"});
  EXPECT_THAT(ids(branch.responses), ::testing::ElementsAre("a", "other"));
  EXPECT_THAT(ids(branch.more), ::testing::ElementsAre("c"));
  EXPECT_EQ(branch.missing, "");
  EXPECT_TRUE(erase(*store, "b"));
  EXPECT_EQ(chain(*store, "c").missing, "b");
  EXPECT_EQ(chain(*store, "nothing").missing, "nothing");
}

TEST(ResponsesStore, ErasesOnce) {
  const auto store = open({});
  store->put(response("a"));
  EXPECT_TRUE(erase(*store, "a"));
  EXPECT_FALSE(erase(*store, "a"));
  EXPECT_EQ(store->total_bytes(), 0u);
}

TEST(ResponsesStore, ForgetsWhatIsOld) {
  std::atomic<int64_t> clock = 1000;
  ResponsesStoreOptions options;
  options.ttl_seconds = 100;
  options.unix_seconds = [&] { return clock.load(); };
  const auto store = open(options);
  store->put(response("a"));
  store->wait();
  clock = 1060;
  store->put(response("b", 1, "a"));
  chain(*store, "b");  // goes on from both: they are in use
  store->put(response("c"));
  store->wait();
  clock = 1150;
  EXPECT_TRUE(get(*store, "a"));
  EXPECT_TRUE(get(*store, "c"));
  clock = 1161;
  EXPECT_FALSE(get(*store, "a"));
  EXPECT_FALSE(get(*store, "c"));
  EXPECT_EQ(store->count(), 0u);
}

TEST(ResponsesStore, IsBounded) {
  std::atomic<int64_t> clock = 1000;
  ResponsesStoreOptions options;
  options.max_bytes = 100'000;
  options.unix_seconds = [&] { return clock++; };
  const auto store = open(options);
  for (int i = 0; i < 50; ++i) store->put(response(fmt::format("r{}", i), 1, "", 10'000)), store->wait();
  EXPECT_LE(store->total_bytes(), 100'000u);
  EXPECT_GE(store->count(), 8u);
  EXPECT_FALSE(get(*store, "r0"));
  EXPECT_TRUE(get(*store, "r49"));
  EXPECT_FALSE(store->put(response("huge", 1, "", 200'000)));
  EXPECT_TRUE(get(*store, "r49"));
}

TEST(ResponsesStore, UsedOnesStay) {
  std::atomic<int64_t> clock = 1000;
  ResponsesStoreOptions options;
  options.max_bytes = 50'000;
  options.unix_seconds = [&] { return clock++; };
  const auto store = open(options);
  store->put(response("kept"));
  for (int i = 0; i < 20; ++i) {
    store->put(response(fmt::format("r{}", i), 1, "", 10'000));
    chain(*store, "kept");
  }
  EXPECT_TRUE(get(*store, "kept"));
  EXPECT_FALSE(get(*store, "r0"));
}

TEST(ResponsesStore, AFileOutlivesTheServer) {
  const Folder folder;
  ResponsesStoreOptions options;
  options.file = folder.file("responses.db");
  std::string sealed;
  {
    const auto store = open(options);
    store->put(response("a"));
    store->put(response("b", 1, "a"));
    sealed = store->seal().seal("Hm", 1);
  }
  const auto store = open(options);
  EXPECT_THAT(ids(chain(*store, "b").responses), ::testing::ElementsAre("a", "b"));
  EXPECT_GT(store->total_bytes(), 0u);
  EXPECT_EQ(store->seal().open(sealed, 1), "Hm");
  struct stat status{};
  ASSERT_EQ(::stat(options.file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST(ResponsesStore, WhatIsErasedIsNotInTheFile) {
  const Folder folder;
  ResponsesStoreOptions options;
  options.file = folder.file("responses.db");
  {
    const auto store = open(options);
    StoredResponse secret = response("a");
    secret.body = "the secret of the sphinx";
    store->put(secret);
    store->wait();
    EXPECT_TRUE(erase(*store, "a"));
  }
  std::ifstream file(options.file, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  EXPECT_FALSE(bytes.empty());
  EXPECT_EQ(bytes.find("sphinx"), std::string::npos);
}

TEST(ResponsesStore, RefusesWhatIsNoStore) {
  const Folder folder;
  std::ofstream(folder.file("text")) << std::string(4096, 'x');
  for (const char* name : {"text", "no/such/folder/file"}) {
    ResponsesStoreOptions options;
    options.file = folder.file(name);
    EXPECT_FALSE(ResponsesStore::open(options).ok()) << name;
  }
}

TEST(ReasoningSeal, OpensItsOwnForItsTenantAlone) {
  const ReasoningSeal seal(ReasoningSeal::random_key()), other(ReasoningSeal::random_key());
  for (const std::string& text : {std::string(), std::string("Hm"), std::string(100'000, '\xfe')}) {
    const std::string sealed = seal.seal(text, 7);
    EXPECT_EQ(seal.open(sealed, 7), text);
    EXPECT_EQ(seal.seal(text, 7), sealed);
    EXPECT_FALSE(seal.open(sealed, 8));
    EXPECT_FALSE(other.open(sealed, 7));
    EXPECT_EQ(sealed.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
              std::string::npos);
  }
}

TEST(ReasoningSeal, RefusesWhatWasChanged) {
  const ReasoningSeal seal(ReasoningSeal::random_key());
  const std::string sealed = seal.seal("a thought of some length", 1);
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = changed[i] == 'A' ? 'Q' : 'A';
    const bool is_opened = seal.open(changed, 1).has_value();
    EXPECT_TRUE(!is_opened || i + 1 == sealed.size()) << i;  // the last letter has bits that base64 does not use
    EXPECT_FALSE(seal.open(sealed.substr(0, i), 1));
  }
  for (const char* junk : {"", "A", "====", "gAAAAABo", "\xff\xff\xff\xff", "    "}) EXPECT_FALSE(seal.open(junk, 1));
}

}  // namespace
}  // namespace gossamer::server
