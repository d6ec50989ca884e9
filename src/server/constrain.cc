#include "server/constrain.h"

#include <exception>
#include <utility>

#include "server/answer_constraints.h"
#include "server/app.h"
#include "server/generation.h"
#include "server/work_line.h"

namespace gossamer::server {
namespace {

template <class Request>
void go_on(const Call& call, Request& request, HeldTo held, const std::function<void()>& then) {
  if (held.error) return call.respond(*held.error);
  request.constraint = std::move(held.constraint);
  then();
}

template <class Request>
void constrain_any(const std::shared_ptr<Call>& call, const std::shared_ptr<ServedModel>& model,
                   const std::shared_ptr<Request>& request, std::function<void()> then) {
  if (std::optional<HeldTo> held = model->constraints().find(*request))
    return go_on(*call, *request, std::move(*held), then);
  const bool posted = call->app.work().post([call, model, request, then = std::move(then)] {
    try {
      go_on(*call, *request, model->constraints().make(*request), then);
    } catch (const std::exception&) {  // memory ran out; no request may end the server
      call->respond(server_error(500, "internal_error", "the server could not do this"));
    }
  });
  if (posted) return;
  call->respond(api_error_of(make_error(ErrorCode::kBusy, "too many grammars wait to be compiled; come again later")));
}

}  // namespace

void constrain(const std::shared_ptr<Call>& call, const std::shared_ptr<ServedModel>& model,
               const std::shared_ptr<ChatRequest>& request, std::function<void()> then) {
  constrain_any(call, model, request, std::move(then));
}

void constrain(const std::shared_ptr<Call>& call, const std::shared_ptr<ServedModel>& model,
               const std::shared_ptr<CompletionRequest>& request, std::function<void()> then) {
  constrain_any(call, model, request, std::move(then));
}

}  // namespace gossamer::server
