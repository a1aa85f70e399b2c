// A struct of a program's own: how objects of it are made, counted and ended. Each map that holds such objects and each
// program that makes them has one of these; those of one struct of one BTF object are interchangeable, and types of two BTF
// objects are never the same. An object knows its struct, for the places that end objects of several; whoever has the object
// keeps that BTF.
//
// An object is zeroed memory behind a prefix that programs never see. Its end gives back what its fields own at once
// (on the thread that drops it, under no lock of ring3) and its memory after readers have left, because a program may have
// found it in a map. Ownership among types has no rings and at most model::kMaxOwners levels, which bounds recursion.
//
// An object's memory is charged to the account of the runtime's maps until it is free, as it is where objects end up.
//
// Per-CPU objects are one copy after another, `stride` bytes apart; programs hold the address of the first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/text_sink.h"
#include "btf/btf.h"
#include "maps/field_owners.h"
#include "model/fields.h"
#include "ring3/result.h"

namespace ring3::maps {

class MapHost;
class MemoryAccount;

class AllocatedType {
 public:
  /// Most bytes of one copy of a per-CPU object.
  static constexpr std::uint32_t kMaxPercpuBytes = 512;

  /// Which struct objects are of.
  struct Struct {
    const btf::Btf* btf;
    btf::TypeId id;
    bool operator==(const Struct&) const = default;
  };

  /// fields: kAllocatedFields of the struct. Errors: kNoEnt a host struct without destructor, and those of
  /// model::parse_fields for structs it owns; text to the log.
  static Result<std::shared_ptr<const AllocatedType>> make(std::uint32_t bytes, const model::FieldTable& fields,
                                                           MapHost& host, TextSink& log, Struct of = {});
  /// The same with size and fields read from the BTF.
  static Result<std::shared_ptr<const AllocatedType>> make(const std::shared_ptr<const btf::Btf>& btf,
                                                           btf::TypeId type, MapHost& host, TextSink& log);

  /// What drops objects of several structs, and does nothing else. At least one type, none of them made this way.
  static std::shared_ptr<const AllocatedType> one_of(std::vector<std::shared_ptr<const AllocatedType>> types);

  std::uint32_t bytes() const { return bytes_; }
  /// Whether an object may have several references; else whoever has one is alone with it.
  bool is_counted() const { return refcount_off_ >= 0; }

  /// An object with one reference, zeroed; null: no memory, or the limit of all maps is reached. Never blocks.
  void* allocate() const noexcept;
  void* allocate_percpu(std::uint32_t cpus) const noexcept;
  /// One more reference to an object with a counter. False: it has none left, and is dying.
  bool acquire(void* object) const noexcept;
  /// Gives a reference back; the last one ends the object.
  void drop(void* object) const noexcept;
  static void drop_percpu(void* object) noexcept;

  /// The copy of a CPU.
  static void* percpu_copy(void* object, std::uint32_t cpu) noexcept;

  /// Objects of all types that have not been ended. For tests and listings.
  static std::int64_t live_objects() noexcept;

 private:
  AllocatedType(std::uint32_t bytes, const model::FieldTable& fields, std::shared_ptr<const FieldOwners> owners,
                MemoryAccount* account, Struct of);
  /// Of one_of(): the object's own.
  const AllocatedType& type_of(void* object) const noexcept;

  const std::uint32_t bytes_;
  const Struct struct_;
  MemoryAccount* const account_;  // null: makes no objects
  std::int64_t refcount_off_ = -1;
  const std::shared_ptr<const FieldOwners> owners_;  // null: its fields own nothing
  std::vector<std::shared_ptr<const AllocatedType>> any_of_;
};

}  // namespace ring3::maps
