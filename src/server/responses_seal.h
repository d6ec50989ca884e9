#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/sequence.h"

namespace gossamer::server {

/// Reasoning as a text that only this server can make and read: what a client without a stored response carries back
/// ("encrypted_content"). AES-256-GCM under a key of the store, bound to the tenant; the nonce is made of the text
/// (HMAC-SHA-256), so the same item always has the same seal and a resumed stream repeats it.
class ReasoningSeal {
 public:
  using Key = std::array<uint8_t, 32>;
  static Key random_key();

  explicit ReasoningSeal(const Key& key) : key_(key) {}

  /// URL-safe base64.
  std::string seal(std::string_view text, TenantId tenant) const;
  /// Nothing where it was not sealed with this key, for this tenant, or was changed.
  std::optional<std::string> open(std::string_view sealed, TenantId tenant) const;

 private:
  Key key_;
};

}  // namespace gossamer::server
