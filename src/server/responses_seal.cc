#include "server/responses_seal.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <cstring>
#include <memory>

#include "base/check.h"

namespace gossamer::server {
namespace {

// What is sealed: version, nonce, ciphertext, tag.
constexpr uint8_t kVersion = 1;
constexpr size_t kNonceBytes = 12, kTagBytes = 16;
constexpr size_t kMostBytes = 64u << 20;

struct FreeCipher {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

std::string associated_data(TenantId tenant) {
  std::string data(1 + sizeof(tenant), static_cast<char>(kVersion));
  std::memcpy(data.data() + 1, &tenant, sizeof(tenant));
  return data;
}

std::string to_base64url(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3), '\0');
  EVP_EncodeBlock(bytes_of(text), bytes_of(bytes), static_cast<int>(bytes.size()));
  for (char& letter : text) letter = letter == '+' ? '-' : letter == '/' ? '_' : letter;
  while (!text.empty() && text.back() == '=') text.pop_back();
  return text;
}

std::optional<std::string> from_base64url(std::string_view text) {
  std::string padded(text);
  for (char& letter : padded) letter = letter == '-' ? '+' : letter == '_' ? '/' : letter;
  const size_t padding = (4 - padded.size() % 4) % 4;
  if (padding == 3) return std::nullopt;
  padded.append(padding, '=');
  std::string bytes(3 * (padded.size() / 4), '\0');
  if (EVP_DecodeBlock(bytes_of(bytes), bytes_of(std::string_view(padded)), static_cast<int>(padded.size())) < 0)
    return std::nullopt;
  bytes.resize(bytes.size() - padding);
  return bytes;
}

std::string nonce_for(const ReasoningSeal::Key& key, std::string_view text, std::string_view data) {
  std::string message = "nonce";
  message.append(data).append(text);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  GOS_CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(std::string_view(message)),
                 message.size(), digest.data(), &length) != nullptr);
  return {reinterpret_cast<const char*>(digest.data()), kNonceBytes};
}

}  // namespace

ReasoningSeal::Key ReasoningSeal::random_key() {
  Key key{};
  GOS_CHECK(RAND_bytes(key.data(), static_cast<int>(key.size())) == 1);
  return key;
}

std::string ReasoningSeal::seal(std::string_view text, TenantId tenant) const {
  text = text.substr(0, kMostBytes);
  const std::string data = associated_data(tenant);
  const std::string nonce = nonce_for(key_, text, data);
  std::string cipher_text(text.size(), '\0'), tag(kTagBytes, '\0');
  const Cipher cipher(EVP_CIPHER_CTX_new());
  int written = 0;
  bool ok = cipher && EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key_.data(),
                                         bytes_of(std::string_view(nonce))) == 1;
  ok = ok && EVP_EncryptUpdate(cipher.get(), nullptr, &written, bytes_of(std::string_view(data)),
                               static_cast<int>(data.size())) == 1;
  ok = ok && EVP_EncryptUpdate(cipher.get(), bytes_of(cipher_text), &written, bytes_of(text),
                               static_cast<int>(text.size())) == 1;
  ok = ok && EVP_EncryptFinal_ex(cipher.get(), bytes_of(tag), &written) == 1;
  ok = ok && EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, tag.data()) == 1;
  GOS_CHECK(ok);
  return to_base64url(std::string(1, static_cast<char>(kVersion)) + nonce + cipher_text + tag);
}

std::optional<std::string> ReasoningSeal::open(std::string_view sealed, TenantId tenant) const {
  if (sealed.size() > 2 * kMostBytes) return std::nullopt;
  std::optional<std::string> bytes = from_base64url(sealed);
  if (!bytes || bytes->size() < 1 + kNonceBytes + kTagBytes || bytes->front() != kVersion) return std::nullopt;
  const std::string_view all = *bytes;
  const std::string_view nonce = all.substr(1, kNonceBytes);
  const std::string_view cipher_text = all.substr(1 + kNonceBytes, all.size() - 1 - kNonceBytes - kTagBytes);
  std::string tag(all.substr(all.size() - kTagBytes));
  const std::string data = associated_data(tenant);
  std::string text(cipher_text.size(), '\0');
  const Cipher cipher(EVP_CIPHER_CTX_new());
  int written = 0;
  bool ok = cipher && EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key_.data(), bytes_of(nonce)) == 1;
  ok = ok && EVP_DecryptUpdate(cipher.get(), nullptr, &written, bytes_of(std::string_view(data)),
                               static_cast<int>(data.size())) == 1;
  ok = ok && EVP_DecryptUpdate(cipher.get(), bytes_of(text), &written, bytes_of(cipher_text),
                               static_cast<int>(cipher_text.size())) == 1;
  ok = ok && EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1;
  std::string rest(kTagBytes, '\0');
  ok = ok && EVP_DecryptFinal_ex(cipher.get(), bytes_of(rest), &written) == 1;
  if (!ok) return std::nullopt;
  return text;
}

}  // namespace gossamer::server
