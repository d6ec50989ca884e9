#include "load/model_list.h"

#include "base/json.h"
#include "load/answer_part.h"
#include "load/api_prefix.h"

namespace gossamer::load {
namespace {

constexpr double kPatienceSeconds = 30;

}  // namespace

Result<std::string> first_model(http::HttpClient& client, const std::string& api_key) {
  http::ClientRequest request{
      .method = "GET", .path = api_prefix(client.url()) + std::string("/models"), .timeout_seconds = kPatienceSeconds};
  if (!api_key.empty()) request.headers.add("Authorization", "Bearer " + api_key);
  const std::string where = client.url().authority() + client.url().path + request.path;
  GOS_TRY(const http::Response answer, client.fetch(std::move(request)));
  if (answer.status != 200) {
    const std::string sentence = AnswerPartReader().read(answer.body).error;
    return make_error(ErrorCode::kIo, "{} answers {}{}{}; name the model, or a key", where, answer.status,
                      sentence.empty() ? "" : ": ", sentence);
  }
  GOS_TRY(const json::value list, parse_json(answer.body, where));
  const json::value* data = find_member(list, "data");
  const json::value* id = nullptr;
  if (data && data->is_array() && !data->get_array().empty()) id = find_member(data->get_array().front(), "id");
  if (!id || !id->is_string()) return make_error(ErrorCode::kNotFound, "{} lists no model; name one", where);
  return std::string(id->get_string());
}

}  // namespace gossamer::load
