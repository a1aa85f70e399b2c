#pragma once

namespace ring3 {

/// While one is open on a thread, nothing that thread has reached through a StructOpsPoint (or any other
/// table of the runtime) is freed. Nests. Cheap: no shared cache line is written. Never blocks. A thread
/// must not wait, inside, for something that itself waits for readers; nothing in ring3's commands does.
class ReadSection {
 public:
  ReadSection() noexcept;
  ~ReadSection();
  ReadSection(const ReadSection&) = delete;
  ReadSection& operator=(const ReadSection&) = delete;
};

}  // namespace ring3
