#include "http/certificate.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>

namespace gossamer::http {

namespace {

using File = std::unique_ptr<FILE, decltype(&fclose)>;

void add_names(X509* certificate) {
  X509_EXTENSION* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
  X509_add_ext(certificate, names, -1);
  X509_EXTENSION_free(names);
}

}  // namespace

TestCertificate::TestCertificate(const std::string& name)
    : files_{::testing::TempDir() + "gossamer_" + name + "_certificate.pem",
             ::testing::TempDir() + "gossamer_" + name + "_key.pem"} {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"), -1, -1,
                             0);
  X509_set_issuer_name(certificate, subject);
  add_names(certificate);
  X509_sign(certificate, key, EVP_sha256());
  PEM_write_X509(File(fopen(files_.certificate.c_str(), "w"), &fclose).get(), certificate);
  PEM_write_PrivateKey(File(fopen(files_.key.c_str(), "w"), &fclose).get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

TestCertificate::~TestCertificate() {
  std::remove(files_.certificate.c_str());
  std::remove(files_.key.c_str());
}

}  // namespace gossamer::http
