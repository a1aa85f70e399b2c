/* The programs of docs/kptr.md. Each returns 0, or 1 when something was not there. */
#include "sessions.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <ring3/plugin.bpf.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

__u64 wanted; /* set by the host */

struct slot {
  struct session __kptr *owned;     /* keeps it alive */
  struct session __kptr_weak *weak; /* does not, and reads as null once it has gone */
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct slot);
} slots SEC(".maps");

static struct slot *the_slot(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&slots, &zero);
}

SEC("tc")
int keep(struct __sk_buff *skb) {
  struct slot *slot = the_slot();
  struct session *session, *old;

  if (!slot) return 1;
  session = session_find(wanted);
  if (!session) return 1;
  old = bpf_kptr_xchg(&slot->owned, session); /* the slot owns it now */
  if (old) session_put(old);                  /* and the program what was there */
  return 0;
}

SEC("tc")
int count(struct __sk_buff *skb) {
  struct slot *slot = the_slot();
  struct session *session;

  if (!slot) return 1;
  session = slot->owned; /* readable to the end of the run: the type is rcu_safe */
  return session && session->bytes > 100 ? 0 : 1;
}

SEC("tc")
int remember(struct __sk_buff *skb) {
  struct slot *slot = the_slot();
  struct session *session, *old;

  if (!slot) return 1;
  session = session_find(wanted);
  if (!session) return 1;
  old = bpf_kptr_xchg(&slot->weak, session); /* gives the reference back: the slot only knows the session */
  if (old) session_put(old);
  return 0;
}

SEC("tc")
int recall(struct __sk_buff *skb) {
  struct slot *slot = the_slot();
  struct session *session;

  if (!slot) return 1;
  session = slot->weak;
  if (!session) return 1; /* it has gone, or never was */
  session = session_get(session);
  if (!session) return 1; /* it is dying */
  session_put(session);
  return 0;
}

/* A list of the program's own, each element with a session. */
struct visit {
  struct bpf_list_node node;
  struct session __kptr *who;
};

struct visits {
  struct bpf_spin_lock lock;
  struct bpf_list_head list __contains(visit, node);
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct visits);
} all_visits SEC(".maps");

SEC("tc")
int visit(struct __sk_buff *skb) {
  struct session *session;
  struct visits *visits;
  struct visit *visit;
  __u32 zero = 0;

  visits = bpf_map_lookup_elem(&all_visits, &zero);
  if (!visits) return 1;
  visit = bpf_obj_new(struct visit);
  if (!visit) return 1;
  session = session_find(wanted);
  if (!session) {
    bpf_obj_drop(visit);
    return 1;
  }
  session = bpf_kptr_xchg(&visit->who, session);
  if (session) session_put(session);
  bpf_spin_lock(&visits->lock);
  bpf_list_push_back(&visits->list, &visit->node);
  bpf_spin_unlock(&visits->lock);
  return 0;
}

/* A value for each session, which goes with it. */
struct notes {
  __u64 seen;
  struct session __kptr_weak *friend;
};

struct {
  __uint(type, RING3_OBJECT_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct notes);
} notes SEC(".maps");

SEC("tc")
int note(struct __sk_buff *skb) {
  struct session *session = session_find(wanted);
  struct notes *n;

  if (!session) return 1;
  n = ring3_storage_get(&notes, session, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (n) n->seen++;
  session_put(session);
  return n && n->seen == 1 ? 0 : 1;
}

struct task_struct {
  int pid;
  int tgid;
} __attribute__((preserve_access_index));

/* Threads beside the first one. */
SEC("tc")
int count_threads(struct __sk_buff *skb) {
  struct bpf_iter_task it;
  struct task_struct *task;
  int others = 0;

  bpf_iter_task_new(&it, 0, RING3_TASKS_OF_ALL);
  while ((task = bpf_iter_task_next(&it)))
    if (task->pid != task->tgid) others++;
  bpf_iter_task_destroy(&it);
  return others;
}
