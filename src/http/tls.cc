#include "http/tls.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace gossamer::http {

namespace {

/// OpenSSL's own sockets raise SIGPIPE where the other side has gone; these do not.
int bio_write(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  const auto fd = static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio)));
  const ssize_t count = ::send(fd, data, static_cast<size_t>(size), MSG_NOSIGNAL);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(count);
}

int bio_read(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  const auto fd = static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio)));
  const ssize_t count = ::recv(fd, data, static_cast<size_t>(size), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  if (count == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(count);
}

long bio_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
  return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP;
}

BIO* make_bio(int fd) {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE");
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  BIO* bio = BIO_new(method);
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<intptr_t>(fd)));
  BIO_set_init(bio, 1);
  return bio;
}

std::string last_error() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = code ? ERR_reason_error_string(code) : nullptr;
  return reason ? reason : "no reason given";
}

/// HTTP/1.1 is all that is spoken: a client that would rather have h2 learns it here.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                    unsigned offered_size, void*) {
  static constexpr unsigned char kSpoken[] = "\x08http/1.1";
  unsigned char* found;
  if (SSL_select_next_proto(&found, size, kSpoken, sizeof(kSpoken) - 1, offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

bool is_address(const std::string& host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 || inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

constexpr size_t kRecordBytes = 16u << 10;

}  // namespace

struct TlsContext::Impl {
  explicit Impl(const SSL_METHOD* method) : context(SSL_CTX_new(method)) {
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    // Idle connections give their buffers back; a write that is repeated may lie elsewhere in memory.
    SSL_CTX_set_mode(context,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  }
  ~Impl() { SSL_CTX_free(context); }

  SSL_CTX* context;
  bool is_server = false;
};

TlsContext::TlsContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

TlsContext::~TlsContext() = default;

Result<std::shared_ptr<TlsContext>> TlsContext::for_server(const TlsFiles& files) {
  auto impl = std::make_unique<Impl>(TLS_server_method());
  impl->is_server = true;
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(impl->context, files.certificate.c_str()) != 1)
    return make_error(ErrorCode::kInvalidInput, "cannot read a certificate from {}: {}; give a PEM file",
                      files.certificate, last_error());
  if (SSL_CTX_use_PrivateKey_file(impl->context, files.key.c_str(), SSL_FILETYPE_PEM) != 1)
    return make_error(ErrorCode::kInvalidInput,
                      "cannot use the key in {} with the certificate in {}: {}; give the PEM file of its private key",
                      files.key, files.certificate, last_error());
  // Clients that close without saying so are common, and every request says where it ends.
  SSL_CTX_set_options(impl->context, SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_alpn_select_cb(impl->context, choose_protocol, nullptr);
  return std::shared_ptr<TlsContext>(new TlsContext(std::move(impl)));
}

Result<std::shared_ptr<TlsContext>> TlsContext::for_client(bool verify, const std::string& authorities) {
  auto impl = std::make_unique<Impl>(TLS_client_method());
  ERR_clear_error();
  if (!authorities.empty() && SSL_CTX_load_verify_locations(impl->context, authorities.c_str(), nullptr) != 1)
    return make_error(ErrorCode::kInvalidInput, "cannot read certificates from {}: {}", authorities, last_error());
  if (authorities.empty()) SSL_CTX_set_default_verify_paths(impl->context);
  SSL_CTX_set_verify(impl->context, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  return std::shared_ptr<TlsContext>(new TlsContext(std::move(impl)));
}

struct TlsSession::Impl {
  ~Impl() { SSL_free(ssl); }

  IoResult result_of(int returned) {
    switch (SSL_get_error(ssl, returned)) {
      case SSL_ERROR_WANT_READ:
        return {.kind = IoResult::Kind::kWantRead};
      case SSL_ERROR_WANT_WRITE:
        return {.kind = IoResult::Kind::kWantWrite};
      case SSL_ERROR_ZERO_RETURN:
        return {.kind = IoResult::Kind::kEnd};
      default:
        broken = true;
        return {.kind = IoResult::Kind::kFailed};
    }
  }

  SSL* ssl = nullptr;
  bool broken = false;
  std::string failure;
};

TlsSession::TlsSession(const TlsContext& context, int fd, const std::string& host) : impl_(std::make_unique<Impl>()) {
  SSL* const ssl = impl_->ssl = SSL_new(context.impl_->context);
  BIO* const bio = make_bio(fd);
  SSL_set_bio(ssl, bio, bio);
  if (context.impl_->is_server) {
    SSL_set_accept_state(ssl);
    return;
  }
  SSL_set_connect_state(ssl);
  if (is_address(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl, host.c_str());
    SSL_set1_host(ssl, host.c_str());
  }
}

TlsSession::~TlsSession() = default;

IoResult TlsSession::handshake() {
  ERR_clear_error();
  const int returned = SSL_do_handshake(impl_->ssl);
  if (returned == 1) return {.kind = IoResult::Kind::kDone};
  const IoResult result = impl_->result_of(returned);
  if (result.kind == IoResult::Kind::kFailed) {
    const long verified = SSL_get_verify_result(impl_->ssl);
    impl_->failure = verified == X509_V_OK ? last_error() : X509_verify_cert_error_string(verified);
  }
  return result;
}

IoResult TlsSession::read(std::span<char> into) {
  ERR_clear_error();
  size_t count = 0;
  const int returned = SSL_read_ex(impl_->ssl, into.data(), into.size(), &count);
  if (returned == 1) return {.kind = IoResult::Kind::kDone, .bytes = count};
  return impl_->result_of(returned);
}

IoResult TlsSession::write(std::span<const iovec> pieces) {
  static thread_local char record[kRecordBytes];
  size_t size = 0;
  for (const iovec& piece : pieces) {
    const size_t taken = std::min(piece.iov_len, kRecordBytes - size);
    std::memcpy(record + size, piece.iov_base, taken);
    size += taken;
    if (size == kRecordBytes) break;
  }
  ERR_clear_error();
  size_t count = 0;
  const int returned = SSL_write_ex(impl_->ssl, record, size, &count);
  if (returned == 1) return {.kind = IoResult::Kind::kDone, .bytes = count};
  return impl_->result_of(returned);
}

void TlsSession::end_writing() {
  ERR_clear_error();
  if (!impl_->broken && SSL_is_init_finished(impl_->ssl)) SSL_shutdown(impl_->ssl);
  ERR_clear_error();
}

std::string TlsSession::failure() const {
  return impl_->failure;
}

}  // namespace gossamer::http
