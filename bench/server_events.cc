/// What the server does with a token, without transport and model: tokens of a script become server-sent events of chat
/// completions, which nobody reads. Prints tokens a second of one thread; the transport's share is bench_http_streams'.

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>

#include "server/app.h"
#include "server/routes.h"
#include "server/scripted_engine.h"

using namespace gossamer;
using namespace gossamer::server;

namespace {

/// Counts what it is told to write.
class NobodyReads final : public http::Exchange {
 public:
  explicit NobodyReads(std::string body) {
    request_.method = "POST";
    request_.path = "/v1/chat/completions";
    request_.body = std::move(body);
  }
  const http::Request& request() const override { return request_; }
  void respond(http::Response response) override {
    bytes += response.body.size();
    end();
  }
  void begin_stream(unsigned, http::Headers, http::StreamOptions) override {}
  bool write(std::string text) override {
    bytes += text.size();
    return true;
  }
  void end() override {
    {
      std::lock_guard lock(mutex);
      ++ended;
    }
    news.notify_all();
  }
  void on_gone(std::function<void()>) override {}

  static inline std::mutex mutex;
  static inline std::condition_variable news;
  static inline size_t ended = 0;
  static inline std::atomic<uint64_t> bytes{0};

 private:
  http::Request request_;
};

}  // namespace

int main(int argc, char** argv) {
  const size_t num_streams = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 256;
  const size_t num_tokens = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 4000;
  Result<std::unique_ptr<App>> app = App::create({});
  if (!app.ok()) return 1;
  add_chat_completions_route(**app);
  ServedModelParts parts;
  parts.names = ModelNames::of("gpt-oss-20b", {});
  parts.tokenizer = Tokenizer::o200k_harmony();
  Script script;
  std::string text = "<|channel|>final<|message|>";
  for (size_t i = 0; i < num_tokens; ++i) text += " word";
  parts.tokenizer->encode_with_specials(text + "<|return|>", script.answers.emplace_back());
  parts.source = std::make_unique<ScriptedEngine>(std::move(script));
  Result<std::shared_ptr<ServedModel>> model = ServedModel::create(std::move(parts), &(*app)->metrics());
  if (!model.ok()) return 1;
  (*app)->set_model(std::move(*model));

  const auto begun = std::chrono::steady_clock::now();
  for (size_t i = 0; i < num_streams; ++i)
    (*app)->handle(
        std::make_shared<NobodyReads>(R"({"stream": true, "messages": [{"role": "user", "content": "Hello"}]})"));
  {
    std::unique_lock lock(NobodyReads::mutex);
    NobodyReads::news.wait(lock, [&] { return NobodyReads::ended == num_streams; });
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begun;
  const double tokens = static_cast<double>(num_streams * num_tokens);
  fmt::print("{} streams of {} tokens: {:.0f} tokens/s, {:.2f} us and {:.0f} bytes a token\n", num_streams, num_tokens,
             tokens / elapsed.count(), 1e6 * elapsed.count() / tokens,
             static_cast<double>(NobodyReads::bytes.load()) / tokens);
  return 0;
}
