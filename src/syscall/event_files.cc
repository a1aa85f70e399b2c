#include "syscall/event_files.h"

#include "base/try.h"
#include "maps/event_buffer.h"

namespace ring3::syscall {

Result<OwnedFd> open_event_file(Kernel& kernel, const Birth& birth) {
  Ref<maps::EventBuffer> buffer = RING3_TRY(maps::EventBuffer::make(kernel.objects(), kMaxEventPages, birth));
  const int memory = buffer->memory_fd();
  return kernel.descriptors().open_as("perf_event", std::move(buffer), Access::kReadWrite, memory);
}

Result<void> use_event_pages(Kernel& kernel, const FileIdentity& file, std::uint32_t pages) {
  const Result<OpenObject> open = kernel.descriptors().find(file);
  if (!open.ok() || open->object->kind() != ObjectKind::kEvents) return Errno::kBadF;
  return pages == 0 ? Result<void>() : static_cast<maps::EventBuffer&>(*open->object).use_pages(pages);
}

}  // namespace ring3::syscall
