/* Refused: a session kept in a session's storage, of a type that says it may refer to sessions. */
#include "sessions.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <ring3/plugin.bpf.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct notes {
  struct session __kptr *friend;
};

struct {
  __uint(type, RING3_OBJECT_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct notes);
} notes SEC(".maps");

SEC("tc")
int befriend(struct __sk_buff *skb) {
  struct session *session = session_find(1), *old;
  struct notes *n;

  if (!session) return 1;
  n = ring3_storage_get(&notes, session, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!n) {
    session_put(session);
    return 1;
  }
  old = bpf_kptr_xchg(&n->friend, session);
  if (old) session_put(old);
  return 0;
}
