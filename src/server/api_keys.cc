#include "server/api_keys.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/mmap_file.h"

namespace gossamer::server {
namespace {

constexpr uint64_t kLargestFileBytes = 1 << 20;
constexpr double kLookEverySeconds = 1;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<Sha256> parse_hash(std::string_view text) {
  Sha256 hash;
  if (text.size() < 2 * hash.size()) return std::nullopt;
  for (size_t i = 0; i < hash.size(); ++i) {
    const int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    hash[i] = static_cast<uint8_t>(16 * high + low);
  }
  const std::string_view rest = text.substr(2 * hash.size());
  if (!rest.empty() && rest[0] != ' ' && rest[0] != '\t') return std::nullopt;
  return hash;
}

Result<std::vector<Sha256>> read_hashes(const std::string& path) {
  GOS_TRY(const std::string text, read_file(path, kLargestFileBytes));
  std::vector<Sha256> hashes;
  size_t begin = 0, number = 0;
  while (begin < text.size()) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    const std::optional<Sha256> hash = parse_hash(line);
    if (!hash)
      return make_error(ErrorCode::kInvalidInput,
                        "line {} of {} is not the SHA-256 of a key; make one with: printf %s KEY | sha256sum", number,
                        path);
    hashes.push_back(*hash);
  }
  return hashes;
}

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Sha256 sha256(std::string_view text) {
  Sha256 hash;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash.data());
  return hash;
}

Result<std::unique_ptr<ApiKeys>> ApiKeys::load(const std::vector<std::string>& texts, const std::string& file) {
  std::unique_ptr<ApiKeys> keys(new ApiKeys(file));
  for (const std::string& text : texts) {
    if (text.empty()) return make_error(ErrorCode::kInvalidInput, "an API key is empty");
    keys->fixed_.push_back(sha256(text));
  }
  if (!file.empty()) GOS_TRY_STATUS(keys->reload());
  return keys;
}

bool ApiKeys::open() const {
  return fixed_.empty() && file_.empty();
}

Status ApiKeys::reload() {
  if (file_.empty()) return {};
  std::error_code ignored;  // then the time is the epoch, and the next look reads again
  const auto time = std::filesystem::last_write_time(file_, ignored);
  GOS_TRY(std::vector<Sha256> hashes, read_hashes(file_));
  std::lock_guard lock(mutex_);
  from_file_ = std::move(hashes);
  read_time_ = time;
  return {};
}

void ApiKeys::reload_if_changed() {
  if (file_.empty()) return;
  {
    std::lock_guard lock(mutex_);
    const double now = now_seconds();
    if (now < next_look_seconds_) return;
    next_look_seconds_ = now + kLookEverySeconds;
    std::error_code failure;
    if (std::filesystem::last_write_time(file_, failure) == read_time_ || failure) return;
  }
  (void)reload();  // a file that is being written: the keys before it hold
}

std::optional<TenantId> ApiKeys::tenant_of(std::string_view key) {
  reload_if_changed();
  const Sha256 hash = sha256(key);
  bool known = false;
  const auto look = [&](const std::vector<Sha256>& hashes) {
    for (const Sha256& other : hashes) known |= CRYPTO_memcmp(hash.data(), other.data(), hash.size()) == 0;
  };
  std::lock_guard lock(mutex_);
  look(fixed_);
  look(from_file_);
  if (!known) return std::nullopt;
  TenantId tenant;
  std::memcpy(&tenant, hash.data(), sizeof tenant);
  return tenant;
}

}  // namespace gossamer::server
