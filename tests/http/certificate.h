#pragma once

#include "http/http_server.h"

namespace gossamer::http {

/// A key and a certificate for "localhost" and 127.0.0.1 that it has signed itself, as files for the time of a test.
class TestCertificate {
 public:
  explicit TestCertificate(const std::string& name);
  ~TestCertificate();

  const TlsFiles& files() const { return files_; }

 private:
  TlsFiles files_;
};

}  // namespace gossamer::http
