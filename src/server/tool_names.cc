#include "server/tool_names.h"

#include <algorithm>
#include <iterator>

namespace gossamer::server {
namespace {

constexpr std::string_view kMark = "my_";
constexpr std::string_view kTrained[] = {"python", "browser", "container"};

/// True for a trained tool's name with any number of marks before it.
bool is_marked_or_trained(std::string_view name) {
  while (name.starts_with(kMark)) name.remove_prefix(kMark.size());
  return std::find(std::begin(kTrained), std::end(kTrained), name) != std::end(kTrained);
}

}  // namespace

std::string model_tool_name(std::string_view client_name) {
  return is_marked_or_trained(client_name) ? std::string(kMark) += client_name : std::string(client_name);
}

std::string client_tool_name(std::string_view model_name) {
  const bool is_marked = model_name.starts_with(kMark) && is_marked_or_trained(model_name);
  return std::string(is_marked ? model_name.substr(kMark.size()) : model_name);
}

bool names_recipient(std::string_view name, std::string_view recipient) {
  if (!recipient.starts_with(name)) return false;
  return recipient.size() == name.size() || recipient[name.size()] == '.';
}

}  // namespace gossamer::server
