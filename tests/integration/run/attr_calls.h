/* Calls of bpf(2) written down, and whoever plays them: the same file for a test in C++ and for a client in C, so that the same attributes go
 * through every door. What differs from process to process, descriptors and addresses, is named in the record and put in when it is played. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __cplusplus
#include "uapi/bpf.h"
namespace ring3::test {
using namespace uapi;
#else
#include <linux/bpf.h>
#endif

enum { kCallAttrBytes = 192, kCallRoomBytes = 16384, kPageBytes = 4096 };

/* What stands in a word of the attribute instead of the record's bytes. Pointers take two words. */
enum CallSlot {
  kAsIs,
  kFdHash,
  kFdArray,
  kFdProgram,
  kFdTypes,
  kFdPipe,
  kFdFolder,
  kFdPath,
  kFdMemory,
  kFdClosed,
  kFirstPointer,
  kToZeros = kFirstPointer, /* a page to read and write */
  kToProgram,               /* r0 = 0; exit */
  kToTypes,                 /* an int, 45 bytes */
  kToLicense,
  kToPath,                  /* "/sys/fs/bpf/attr_calls" */
  kToReadOnly,
  kToEnd,                   /* the last four bytes of a page, nothing behind it */
  kToNothing,               /* no page there */
  kToKernel,                /* nobody's */
  kCallSlots
};

/* Where the attribute itself stands. */
enum CallPlace { kInRoom, kAtNull, kAtNothing, kAtEnd };

struct attr_call {
  int32_t command;
  uint32_t size;
  uint8_t place;
  uint8_t tail;  /* byte behind kCallAttrBytes; the rest is zero */
  uint8_t slots[kCallAttrBytes / 4];
  uint8_t bytes[kCallAttrBytes];
};

/* As the system call: a result, or a negated errno. */
typedef long (*call_door)(void *context, int command, void *attr, unsigned size);

struct call_stage {
  int fds[kFirstPointer];
  unsigned char *zeros, *texts, *read_only, *end, *nothing, *room;
};

/* magic, version, header's length; types at 0, 16 bytes; strings behind, 5 bytes: an int. */
static const uint32_t kCallTypes[] = {0x0001eb9f, 24, 0, 16, 16, 5, 1, 0x01000000, 4, 0x01000020, 0x746e6900, 0};
enum { kCallTypesBytes = 24 + 16 + 5 };

static inline void dress_stage(struct call_stage *stage) {
  static const unsigned char kProgram[16] = {0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95};
  memset(stage->zeros, 0, kPageBytes);
  memset(stage->end, 0, kPageBytes);
  memset(stage->texts, 0, kPageBytes);
  memcpy(stage->texts, kProgram, sizeof kProgram);
  memcpy(stage->texts + 64, "GPL", 4);
  memcpy(stage->texts + 128, "/sys/fs/bpf/attr_calls", 23);
  memcpy(stage->texts + 256, kCallTypes, sizeof kCallTypes);
}

/* Low addresses, which nobody else is given: what stands nowhere stays so, and every process has the same. */
static inline unsigned char *call_pages(int place, int protection, size_t bytes) {
  void *const wish = (void *)(uintptr_t)(0x30000000u + (unsigned)place * 0x10000u);
  void *const at = mmap(wish, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  return at == wish ? (unsigned char *)at : NULL;
}

/* Numbers are the same in every process too. */
static inline int call_file(int kind, int fd) {
  const int number = dup3(fd, 900 + kind, O_CLOEXEC);
  if (fd >= 0) close(fd);
  return number;
}

/* 0, or -1: what is needed cannot be made. */
static inline int open_stage(struct call_stage *stage, call_door door, void *context) {
  union bpf_attr attr;
  int ends[2], fd;
  for (fd = 0; fd < 3; ++fd) /* small numbers are files everywhere, and no objects */
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) return -1;
  memset(stage, 0, sizeof *stage);
  stage->zeros = call_pages(0, PROT_READ | PROT_WRITE, kPageBytes);
  stage->texts = call_pages(1, PROT_READ | PROT_WRITE, kPageBytes);
  stage->room = call_pages(2, PROT_READ | PROT_WRITE, kCallRoomBytes);
  stage->read_only = call_pages(3, PROT_READ, kPageBytes);
  stage->end = call_pages(4, PROT_READ | PROT_WRITE, kPageBytes);
  if (!stage->zeros || !stage->texts || !stage->room || !stage->read_only || !stage->end || pipe(ends) != 0) return -1;
  stage->nothing = stage->end + kPageBytes;
  dress_stage(stage);
  stage->fds[kFdPipe] = call_file(kFdPipe, ends[0]);
  close(ends[1]);
  stage->fds[kFdFolder] = call_file(kFdFolder, open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  stage->fds[kFdPath] = call_file(kFdPath, open("/", O_PATH | O_CLOEXEC));
  stage->fds[kFdMemory] = call_file(kFdMemory, memfd_create("bpf-map", MFD_CLOEXEC));
  stage->fds[kFdClosed] = 1000;
  memset(&attr, 0, sizeof attr);
  attr.map_type = BPF_MAP_TYPE_HASH;
  attr.key_size = 4;
  attr.value_size = 8;
  attr.max_entries = 4;
  stage->fds[kFdHash] = call_file(kFdHash, (int)door(context, BPF_MAP_CREATE, &attr, sizeof attr));
  attr.map_type = BPF_MAP_TYPE_ARRAY;
  stage->fds[kFdArray] = call_file(kFdArray, (int)door(context, BPF_MAP_CREATE, &attr, sizeof attr));
  memset(&attr, 0, sizeof attr);
  attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  attr.insn_cnt = 2;
  attr.insns = (uintptr_t)stage->texts;
  attr.license = (uintptr_t)stage->texts + 64;
  stage->fds[kFdProgram] = call_file(kFdProgram, (int)door(context, BPF_PROG_LOAD, &attr, sizeof attr));
  memset(&attr, 0, sizeof attr);
  attr.btf = (uintptr_t)kCallTypes;
  attr.btf_size = kCallTypesBytes;
  stage->fds[kFdTypes] = call_file(kFdTypes, (int)door(context, BPF_BTF_LOAD, &attr, sizeof attr));
  for (fd = kFdHash; fd < kFdClosed; ++fd)
    if (stage->fds[fd] < 0) return -1;
  return 0;
}

static inline void close_stage(struct call_stage *stage) {
  int fd;
  for (fd = kFdHash; fd < kFdClosed; ++fd) close(stage->fds[fd]);
  munmap(stage->zeros, kPageBytes);
  munmap(stage->texts, kPageBytes);
  munmap(stage->room, kCallRoomBytes);
  munmap(stage->read_only, kPageBytes);
  munmap(stage->end, kPageBytes);
}

static inline uint64_t call_address(const struct call_stage *stage, int slot) {
  switch (slot) {
    case kToZeros: return (uintptr_t)stage->zeros;
    case kToProgram: return (uintptr_t)stage->texts;
    case kToTypes: return (uintptr_t)stage->texts + 256;
    case kToLicense: return (uintptr_t)stage->texts + 64;
    case kToPath: return (uintptr_t)stage->texts + 128;
    case kToReadOnly: return (uintptr_t)stage->read_only;
    case kToEnd: return (uintptr_t)stage->nothing - 4;
    case kToNothing: return (uintptr_t)stage->nothing;
    default: return 0xffff800000000000;
  }
}

static inline int call_gives_descriptor(int command) {
  switch (command) {
    case BPF_MAP_CREATE:
    case BPF_PROG_LOAD:
    case BPF_OBJ_GET:
    case BPF_PROG_GET_FD_BY_ID:
    case BPF_MAP_GET_FD_BY_ID:
    case BPF_RAW_TRACEPOINT_OPEN:
    case BPF_BTF_LOAD:
    case BPF_BTF_GET_FD_BY_ID:
    case BPF_LINK_CREATE:
    case BPF_LINK_GET_FD_BY_ID:
    case BPF_ENABLE_STATS:
    case BPF_ITER_CREATE:
    case 36: /* BPF_TOKEN_CREATE, which older headers do not have */ return 1;
    default: return 0;
  }
}

/* 0 for every success: numbers of descriptors differ. */
static inline long play_call(struct call_stage *stage, const struct attr_call *call, call_door door, void *context) {
  unsigned char *at = stage->room;
  size_t i;
  long result;
  dress_stage(stage);
  memset(stage->room, 0, kCallRoomBytes);
  memcpy(stage->room, call->bytes, kCallAttrBytes);
  stage->room[kCallAttrBytes] = call->tail;
  for (i = 0; i < sizeof call->slots; ++i) {
    const int slot = call->slots[i];
    const uint64_t address = call_address(stage, slot);
    if (slot == kAsIs) continue;
    if (slot < kFirstPointer) memcpy(stage->room + i * 4, &stage->fds[slot], 4);
    else if (i + 1 < sizeof call->slots) memcpy(stage->room + i * 4, &address, 8);
  }
  if (call->place == kAtNull) at = NULL;
  if (call->place == kAtNothing) at = stage->nothing;
  if (call->place == kAtEnd) at = stage->nothing - 8; /* it begins, and does not end */
  result = door(context, call->command, at, call->size);
  if (result > 2 && call_gives_descriptor(call->command)) close((int)result);
  return result < 0 ? result : 0;
}

#ifdef __cplusplus
}  // namespace ring3::test
#endif
