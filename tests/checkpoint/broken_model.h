#pragma once
/// Models that are broken on purpose: a valid tiny model in memory, changed by a test, written and opened.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "checkpoint/tiny_checkpoint.h"
#include "checkpoint/tiny_gguf.h"

namespace gossamer::testing {

/// A folder of the Hugging Face or original layout before it is written.
struct FolderModel {
  json::object config;
  std::vector<FileTensor> tensors;
  /// Changes the text of the header of model.safetensors; its length is written anew.
  std::function<void(std::string&)> edit_header;
  /// Changes the whole file model.safetensors.
  std::function<void(std::string&)> edit_file;
  /// More files: name and content. Content "-" removes a file that would be there.
  std::map<std::string, std::string> files;

  FileTensor& tensor(const std::string& name);
  void erase(const std::string& name);
  void write(const std::string& folder) const;
};

FolderModel hugging_face_model();
FolderModel original_model();

/// Replaces the first `from` in `text`, which must be there.
void replace_first(std::string& text, const std::string& from, const std::string& to);

/// The error of opening `path`, with `folder` written as DIR; "opened" where there is none.
std::string open_error(const std::string& path, const std::string& folder);

}  // namespace gossamer::testing
