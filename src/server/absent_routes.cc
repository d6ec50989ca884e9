#include "server/absent_routes.h"

namespace gossamer::server {
namespace {

constexpr std::string_view kEmbeddings = "gpt-oss gives no embeddings; ask a server with a model that does";
constexpr std::string_view kTextOnly = "gpt-oss reads and writes text only";
constexpr std::string_view kRanking = "gpt-oss ranks and classifies nothing; ask a server with a model that does";
constexpr std::string_view kFiles = "no files are kept here; send requests one by one, as many at once as you like";
constexpr std::string_view kConversations = "conversations are kept by /v1/responses with \"previous_response_id\"";
constexpr std::string_view kTraining = "models are not trained here";
constexpr std::string_view kOtherApi =
    "/v1/chat/completions, /v1/responses and Ollama's /api/chat are what is spoken here";
constexpr std::string_view kOneModel =
    "this server has the one model it was started with, and makes, copies, sends and "
    "deletes none";

struct AbsentRoute {
  std::string_view path;  ///< and all below it; those without /v1 mean the ones with it too
  std::string_view why;
};

constexpr AbsentRoute kAbsentRoutes[] = {
    {"/embeddings", kEmbeddings},
    {"/audio", kTextOnly},
    {"/images", kTextOnly},
    {"/videos", kTextOnly},
    {"/realtime", kTextOnly},
    {"/moderations", kRanking},
    {"/rerank", kRanking},
    {"/score", kRanking},
    {"/classify", kRanking},
    {"/pooling", kRanking},
    {"/files", kFiles},
    {"/uploads", kFiles},
    {"/batches", kFiles},
    {"/vector_stores", kFiles},
    {"/containers", kFiles},
    {"/conversations", kConversations},
    {"/assistants", kConversations},
    {"/threads", kConversations},
    {"/fine_tuning", kTraining},
    {"/evals", kTraining},
    {"/messages", kOtherApi},
    {"/api/create", kOneModel},
    {"/api/copy", kOneModel},
    {"/api/push", kOneModel},
    {"/api/delete", kOneModel},
    {"/api/blobs", kOneModel},
};

bool is_at_or_below(std::string_view path, std::string_view root) {
  return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
}

}  // namespace

std::string_view why_absent(std::string_view path) {
  constexpr std::string_view kVersion = "/v1";
  if (is_at_or_below(path, kVersion)) path.remove_prefix(kVersion.size());
  for (const AbsentRoute& route : kAbsentRoutes)
    if (is_at_or_below(path, route.path)) return route.why;
  return {};
}

}  // namespace gossamer::server
