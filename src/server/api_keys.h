#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/sequence.h"

namespace gossamer::server {

using Sha256 = std::array<uint8_t, 32>;
Sha256 sha256(std::string_view text);

/// Who may ask. Keys are known by their SHA-256 alone.
class ApiKeys {
 public:
  /// `texts`: keys as clients send them. `file`: a line a key, its SHA-256 in hex, whatever follows is a remark; empty
  /// lines and those that begin with # are passed over. Errors: the file cannot be read, a line is something else (the
  /// sentence names the line, never its text).
  static Result<std::unique_ptr<ApiKeys>> load(const std::vector<std::string>& texts, const std::string& file);

  /// No key is asked for.
  bool open() const;
  /// The tenant that a key stands for; nothing: nobody's. Takes as long whatever the key is. Looks at the file's time
  /// at most once a second and reads it again where it changed; a file that cannot be read then leaves the old keys.
  std::optional<TenantId> tenant_of(std::string_view key);
  /// Reads the file again now. Errors: as load(); the old keys stay.
  Status reload();

 private:
  explicit ApiKeys(std::string file) : file_(std::move(file)) {}
  void reload_if_changed();

  const std::string file_;
  mutable std::mutex mutex_;
  std::vector<Sha256> fixed_, from_file_;
  std::filesystem::file_time_type read_time_;
  double next_look_seconds_ = 0;
};

}  // namespace gossamer::server
