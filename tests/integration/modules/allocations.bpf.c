/* Programs whose helpers and functions allocate. Each returns 0 when it had all it wanted, 1 when it was refused something and has
 * given back what it had, and the number of a line otherwise. What they leave in maps, clear_all takes out. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <ring3/plugin.bpf.h>

char LICENSE[] SEC("license") = "GPL";

struct task_struct {
  int pid;
} __attribute__((preserve_access_index));

struct node {
  __u64 key;
  struct bpf_list_node list;
  struct bpf_rb_node tree;
  struct bpf_refcount refs;
  struct counted_thing __kptr *held;
};
struct copy {
  __u64 number;
};
struct value {
  struct bpf_spin_lock lock;
  struct bpf_list_head list __contains(node, list);
  struct bpf_rb_root tree __contains(node, tree);
  struct counted_thing __kptr *owned;
  struct counted_thing __kptr_weak *weak;
  struct node __kptr *own;
  struct copy __percpu_kptr *copies;
};
/* Elements are made on demand. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, struct value);
} values SEC(".maps");

struct deferred {
  struct bpf_timer timer;
  struct bpf_wq work;
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, struct deferred);
} deferreds SEC(".maps");

struct note {
  struct counted_thing __kptr *owned;
};
struct {
  __uint(type, RING3_OBJECT_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct note);
} of_things SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct note);
} of_tasks SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} ring SEC(".maps");

static const __u32 zero = 0;

/* An element that is new. */
static struct value *fresh(void) {
  struct value empty = {};

  if (bpf_map_update_elem(&values, &zero, &empty, BPF_ANY)) return 0;
  return bpf_map_lookup_elem(&values, &zero);
}

SEC("tc")
int owned(struct __sk_buff *skb) {
  struct value *v = fresh();
  struct counted_thing *thing;

  if (!v) return 1;
  thing = counted_thing_find(1);
  if (!thing) return __LINE__;
  thing = bpf_kptr_xchg(&v->owned, thing);
  if (!thing) return 0;
  counted_thing_put(thing);
  return __LINE__;
}

/* Without memory a weak slot is empty. */
SEC("tc")
int weak(struct __sk_buff *skb) {
  struct value *v = fresh();
  struct counted_thing *thing;

  if (!v) return 1;
  thing = counted_thing_find(1);
  if (!thing) return __LINE__;
  thing = bpf_kptr_xchg(&v->weak, thing);
  if (thing) {
    counted_thing_put(thing);
    return __LINE__;
  }
  return v->weak ? 0 : 1;
}

static _Bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b) {
  return container_of(a, struct node, tree)->key < container_of(b, struct node, tree)->key;
}

SEC("tc")
int objects(struct __sk_buff *skb) {
  struct value *v = fresh();
  struct counted_thing *thing;
  struct node *n, *m;

  if (!v) return 1;
  n = bpf_obj_new(struct node);
  if (!n) return 1;
  thing = counted_thing_find(1);
  if (!thing) {
    bpf_obj_drop(n);
    return __LINE__;
  }
  thing = bpf_kptr_xchg(&n->held, thing);
  if (thing) counted_thing_put(thing);
  m = bpf_refcount_acquire(n);
  bpf_spin_lock(&v->lock);
  bpf_list_push_back(&v->list, &n->list);
  bpf_rbtree_add(&v->tree, &m->tree, less);
  bpf_spin_unlock(&v->lock);
  n = bpf_obj_new(struct node);
  if (!n) return 1;
  n = bpf_kptr_xchg(&v->own, n);
  if (!n) return 0;
  bpf_obj_drop(n);
  return __LINE__;
}

SEC("tc")
int percpu(struct __sk_buff *skb) {
  struct value *v = fresh();
  struct copy *copy;

  if (!v) return 1;
  copy = bpf_percpu_obj_new(struct copy);
  if (!copy) return 1;
  copy = bpf_kptr_xchg(&v->copies, copy);
  if (!copy) return 0;
  bpf_percpu_obj_drop(copy);
  return __LINE__;
}

SEC("tc")
int object_storage(struct __sk_buff *skb) {
  struct counted_thing *thing = counted_thing_find(1), *old;
  struct note *note;

  if (!thing) return __LINE__;
  note = ring3_storage_get(&of_things, thing, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!note) {
    counted_thing_put(thing);
    return 1;
  }
  old = bpf_kptr_xchg(&note->owned, thing);
  if (old) counted_thing_put(old);
  thing = counted_thing_find(1);
  if (!thing) return __LINE__;
  ring3_storage_delete(&of_things, thing);
  counted_thing_put(thing);
  return 0;
}

SEC("raw_tp")
int task_storage(void *ctx) {
  struct task_struct *task = bpf_get_current_task_btf();
  struct counted_thing *thing;
  struct note *note;

  note = bpf_task_storage_get(&of_tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!note) return 1;
  thing = counted_thing_find(1);
  if (thing) thing = bpf_kptr_xchg(&note->owned, thing);
  if (thing) counted_thing_put(thing);
  bpf_task_storage_delete(&of_tasks, task);
  return 0;
}

int met = 0; /* a local one would be followed through every turn */

SEC("tc")
int iterators(struct __sk_buff *skb) {
  struct bpf_iter_task it;
  struct task_struct *task;

  met = 0;
  bpf_iter_task_new(&it, 0, RING3_TASKS_OF_ALL);
  while ((task = bpf_iter_task_next(&it))) met++;
  bpf_iter_task_destroy(&it);
  task = bpf_task_from_pid((int)bpf_get_current_pid_tgid());
  if (!task) return 1;
  bpf_task_release(task);
  return met ? 0 : 1;
}

static int rings(void *map, __u32 *key, struct deferred *d) { return 0; }
static int works(void *map, int *key, void *value) { return 0; }

SEC("tc")
int deferred_calls(struct __sk_buff *skb) {
  struct deferred empty = {}, *d;

  if (bpf_map_update_elem(&deferreds, &zero, &empty, BPF_ANY)) return 1;
  d = bpf_map_lookup_elem(&deferreds, &zero);
  if (!d) return 1;
  if (bpf_timer_init(&d->timer, &deferreds, 1 /* CLOCK_MONOTONIC */)) return 1;
  if (bpf_timer_set_callback(&d->timer, rings)) return 1;
  if (bpf_timer_start(&d->timer, 3600ull * 1000000000, 0)) return 1;
  if (bpf_wq_init(&d->work, &deferreds, 0)) return 1;
  if (bpf_wq_set_callback(&d->work, works, 0)) return 1;
  return bpf_wq_start(&d->work, 0) ? 1 : 0;
}

SEC("tc")
int dynptrs(struct __sk_buff *skb) {
  struct bpf_dynptr record;
  char bytes[8] = {};
  int bad;

  if (bpf_ringbuf_reserve_dynptr(&ring, 16, 0, &record)) {
    bpf_ringbuf_discard_dynptr(&record, 0);
    return 1;
  }
  bad = bpf_dynptr_write(&record, 0, bytes, sizeof bytes, 0) || bpf_dynptr_read(bytes, sizeof bytes, &record, 8, 0);
  bpf_ringbuf_discard_dynptr(&record, 0);
  return bad ? __LINE__ : 0;
}

SEC("tc")
int clear_all(struct __sk_buff *skb) {
  bpf_map_delete_elem(&values, &zero);
  bpf_map_delete_elem(&deferreds, &zero);
  return 0;
}
