// What a load asks for. The syscall layer has checked the attribute, copied everything out of the
// client's memory and resolved the descriptors that stand in the attribute itself; descriptors that
// stand inside instructions are resolved while the program is, through DescriptorSource.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "btf/btf.h"
#include "isa/insn.h"
#include "maps/map.h"
#include "model/facts.h"
#include "object/object.h"
#include "prog/btf_object.h"
#include "ring3/result.h"
#include "ring3/signing.h"

namespace ring3::prog {

/// A client's descriptor, resolved. The access bits are those of the descriptor (BPF_F_RDONLY, _WRONLY).
struct DescribedObject {
  Ref<Object> object;
  bool read_only = false;
  bool write_only = false;
};

/// The client's descriptor table and its fd_array, as the loader needs them.
class DescriptorSource {
 public:
  /// Errors: kBadF not an open descriptor; kInval open, but no object of this runtime.
  virtual Result<DescribedObject> object(std::int32_t fd) = 0;
  /// fd_array[index]. Errors: kProto the attribute has no fd_array; kFault unreadable.
  virtual Result<std::int32_t> fd_array(std::uint32_t index) = 0;

 protected:
  ~DescriptorSource() = default;
};

struct LoadSignature {
  std::vector<std::byte> bytes;
  std::int32_t ring = 0;  // keyring_id
};

struct LoadRequest {
  std::uint32_t prog_type = 0;    // enum bpf_prog_type
  std::uint32_t attach_type = 0;  // expected_attach_type; struct_ops: member index
  std::uint32_t flags = 0;        // prog_flags
  std::string name;
  std::string license;
  std::vector<isa::RawInsn> insns;
  Ref<BtfObject> btf;             // prog_btf_fd; null: none
  // Records as given, `count * rec_size` bytes each.
  std::vector<std::byte> func_info, line_info, core_relos;
  std::uint32_t func_info_rec_size = 0, line_info_rec_size = 0, core_relo_rec_size = 0;
  btf::TypeId attach_btf_id = 0;
  Ref<Object> attach_target;      // attach_prog_fd or attach_btf_obj_fd; null: the host's BTF
  std::uint32_t fd_array_count = 0;  // 0: sparse fd_array, read only where referenced
  model::Rights rights;
  bool unprivileged_allowed = false;  // clients without CAP_BPF may load what needs no rights
  Birth birth;
  std::optional<LoadSignature> signature;
  Provenance provenance;          // who vouches for it before its own signature is looked at
};

}  // namespace ring3::prog
