#include "client_tls.hpp"

#include <openssl/err.h>

namespace headrace::load {
namespace {

failure tls_failure(const std::string& what) {
    const char* why = ERR_reason_error_string(ERR_get_error());
    ERR_clear_error();
    return failure::of(errc::invalid_argument,
                       "load: TLS: cannot use " + what + ": " + (why != nullptr ? why : "unknown error"));
}

}  // namespace

failure make_client_tls(const net::tls_options& o, ssl_context& out) {
    ERR_clear_error();
    out.reset(SSL_CTX_new(TLS_client_method()));
    auto* const context = out.get();
    if (context == nullptr) return tls_failure("OpenSSL");
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(context, o.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    static constexpr unsigned char http11[] = "\x08http/1.1";
    SSL_CTX_set_alpn_protos(context, http11, sizeof http11 - 1);
    if (o.ca_file.empty()) {
        SSL_CTX_set_default_verify_paths(context);
    } else if (SSL_CTX_load_verify_locations(context, o.ca_file.c_str(), nullptr) != 1) {
        return tls_failure("the CA file " + o.ca_file);
    }
    if (o.cert_file.empty()) return {};
    if (SSL_CTX_use_certificate_chain_file(context, o.cert_file.c_str()) != 1) {
        return tls_failure("the certificate " + o.cert_file);
    }
    const auto& key = o.key_file.empty() ? o.cert_file : o.key_file;
    if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) return tls_failure("the key " + key);
    return {};
}

}  // namespace headrace::load
