// OpenSSL's objects, owned. Every call that may fail leaves lines in the thread's error queue, which belongs to the
// host as well: ErrorScope takes back those of a room's own calls.
#pragma once

#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <memory>

namespace ring3::sign {

template <auto Free>
struct FreeBy {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};

inline void free_certificates(STACK_OF(X509) * stack) { sk_X509_pop_free(stack, X509_free); }

using OwnedBio = std::unique_ptr<BIO, FreeBy<&BIO_free_all>>;
using OwnedMessage = std::unique_ptr<CMS_ContentInfo, FreeBy<&CMS_ContentInfo_free>>;
using OwnedCertificate = std::unique_ptr<X509, FreeBy<&X509_free>>;
using OwnedCertificates = std::unique_ptr<STACK_OF(X509), FreeBy<&free_certificates>>;
using OwnedKey = std::unique_ptr<EVP_PKEY, FreeBy<&EVP_PKEY_free>>;
using OwnedStore = std::unique_ptr<X509_STORE, FreeBy<&X509_STORE_free>>;
using OwnedWalk = std::unique_ptr<X509_STORE_CTX, FreeBy<&X509_STORE_CTX_free>>;

/// What is in the error queue when it ends is what was there when it began.
class ErrorScope {
 public:
  ErrorScope() { ERR_set_mark(); }
  ~ErrorScope() { ERR_pop_to_mark(); }
  ErrorScope(const ErrorScope&) = delete;
  ErrorScope& operator=(const ErrorScope&) = delete;

  /// The newest failure was for want of memory.
  static bool out_of_memory() { return ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE; }
};

}  // namespace ring3::sign
