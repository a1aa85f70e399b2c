// A loader program that libbpf generates of an object file, with its signature: what `ring3 sign` writes and `ring3 insmod`
// loads into a host that wants signed programs (docs/signing.md).
//
// The loader is one program and one map. It makes the object's maps and programs when it is run, so what the signature covers is
// all of them: instructions, initial values, sizes, types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "control/client.h"
#include "ring3/result.h"

namespace ring3::cli {

struct SignedLoader {
  std::vector<std::byte> insns, data;         // what is signed, in this order; data is the map's only value
  std::vector<std::byte> signature;
  std::int32_t ring = 0;                      // keyring_id
  std::vector<std::string> maps, programs;    // names, for people, in the order in which they are made; not signed
};

/// Of an object file, unsigned, as libbpf makes it: whoever runs it may choose sizes and initial values of maps.
/// Errors, explained: libbpf's; kOpNotSupp the object has struct_ops tables, which libbpf 1.1 generates no loader for.
Result<SignedLoader> generate_loader(std::vector<std::byte> object, const std::string& name, std::string& why);

/// Those choices are no longer taken notice of: everything is as in the object. False: the loader is of no form that is known here.
bool settle_choices(SignedLoader& loader);

/// The file. It begins with bytes that no object file begins with.
std::vector<std::byte> pack(const SignedLoader& loader);
bool is_signed_loader(std::span<const std::byte> file);
/// Errors: kBadMsg.
Result<SignedLoader> unpack(std::span<const std::byte> file);

/// Descriptors, in the order of the names. The caller closes them.
struct LoadedObjects {
  std::vector<int> maps, programs;
};
/// Makes the map, loads the program and runs it, with the rights of the client. Negative: an errno, and `step` says of what; the descriptors in
/// `made` are open whatever it returns.
long run_signed_loader(control::Client& client, const SignedLoader& loader, LoadedObjects& made, std::string& step);

}  // namespace ring3::cli
