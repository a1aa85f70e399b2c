// A load transaction: the objects made inside it have ids (so info records are right) but stay out of
// sight until commit, which publishes all of them in one step. Anything else drops them.
//
// Holds one reference to each object; who made the object usually holds others (descriptors).
// Thread-safe. Its lock comes before the table's.
#pragma once

#include <cstdint>
#include <vector>

#include "base/mutex.h"
#include "object/object.h"
#include "object/object_table.h"
#include "ring3/result.h"

namespace ring3 {

class Transaction {
 public:
  explicit Transaction(ObjectTable& table) : table_(table) {}
  /// Rolls back what was not committed.
  ~Transaction() { rollback(); }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  /// Reserves an id and takes the object in. Errors: kNoMem, kNoSpc; kBusy after commit or rollback.
  Result<void> add(Ref<Object> o);
  /// Takes an object out again; it then dies unseen with its last reference. Does nothing when it is not one of its
  /// objects.
  void drop(const Object& o) noexcept;
  /// Lets go of objects that nobody but the transaction holds any more.
  void drop_abandoned() noexcept;
  /// Everything in it, in order of creation.
  std::vector<Ref<Object>> objects() const;
  /// Finds an object of this transaction, published or not: a load may open its own objects by id.
  Result<Ref<Object>> find(ObjectKind kind, std::uint32_t id) const;
  /// The lowest id above `after` of one of its objects, or kNoEnt.
  Result<std::uint32_t> next_id(ObjectKind kind, std::uint32_t after) const;

  /// Publishes all objects at one point; then holds no references.
  /// Errors: kBusy when already ended; kNoMem, with nothing published.
  Result<void> commit();
  /// Drops the references. Objects that nobody else holds die unseen. Does nothing when already ended.
  void rollback() noexcept;

  bool open() const;
  std::size_t size() const;

 private:
  ObjectTable& table_;
  mutable Mutex mutex_;
  bool ended_ RING3_GUARDED_BY(mutex_) = false;
  std::vector<Ref<Object>> objects_ RING3_GUARDED_BY(mutex_);
};

}  // namespace ring3
