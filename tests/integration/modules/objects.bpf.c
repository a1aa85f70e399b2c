/* Objects of the program's own, in maps, lists and trees, and references to the host's things. Each program checks
 * itself and returns 0, or the number of the line that went wrong. */
#include "test_host.h"

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct bpf_list_head { __u64 __opaque[2]; } __attribute__((aligned(8)));
struct bpf_list_node { __u64 __opaque[3]; } __attribute__((aligned(8)));
struct bpf_rb_root { __u64 __opaque[2]; } __attribute__((aligned(8)));
struct bpf_rb_node { __u64 __opaque[4]; } __attribute__((aligned(8)));
struct bpf_refcount { __u32 __opaque[1]; } __attribute__((aligned(4)));

#define OWNED __attribute__((btf_type_tag("kptr")))
#define CONTAINS(type, member) __attribute__((btf_decl_tag("contains:" #type ":" #member)))
#define CONTAINER(ptr, type, member) ((type *)((void *)(ptr)-__builtin_offsetof(type, member)))
#define NEW(type) ((type *)bpf_obj_new_impl(bpf_core_type_id_local(type), 0))
#define DROP(p) bpf_obj_drop_impl(p, 0)
#define CHECK(c) \
  if (!(c)) return __LINE__

extern void *bpf_obj_new_impl(__u64 type, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *p, void *meta) __ksym;
extern void *bpf_refcount_acquire_impl(void *p, void *meta) __ksym;
extern int bpf_list_push_front_impl(struct bpf_list_head *h, struct bpf_list_node *n, void *meta, __u64 off) __ksym;
extern int bpf_list_push_back_impl(struct bpf_list_head *h, struct bpf_list_node *n, void *meta, __u64 off) __ksym;
extern struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *h) __ksym;
extern struct bpf_list_node *bpf_list_pop_back(struct bpf_list_head *h) __ksym;
extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node,
                               _Bool(less)(struct bpf_rb_node *a, const struct bpf_rb_node *b), void *meta, __u64 off) __ksym;
extern struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root, struct bpf_rb_node *node) __ksym;
extern struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __ksym;

struct node {
  __u64 key;
  struct bpf_list_node list;
  struct bpf_rb_node tree;
  struct bpf_refcount refs;
};

struct shelf {
  struct bpf_spin_lock lock;
  struct bpf_list_head list CONTAINS(node, list);
  struct bpf_rb_root tree CONTAINS(node, tree);
};

struct slots {
  struct node OWNED *own;
  struct thing OWNED *hosts;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct shelf);
} shelves SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, struct slots);
} stash SEC(".maps");

static struct shelf *the_shelf(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&shelves, &zero);
}

static struct slots *the_slots(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&stash, &zero);
}

SEC("tc")
int list_order(struct __sk_buff *skb) {
  struct shelf *shelf = the_shelf();
  struct bpf_list_node *n;
  struct node *a, *b;

  CHECK(shelf);
  a = NEW(struct node);
  CHECK(a);
  b = NEW(struct node);
  if (!b) {
    DROP(a);
    return __LINE__;
  }
  a->key = 1;
  b->key = 2;
  bpf_spin_lock(&shelf->lock);
  bpf_list_push_back_impl(&shelf->list, &a->list, 0, 0);
  bpf_list_push_front_impl(&shelf->list, &b->list, 0, 0);
  n = bpf_list_pop_front(&shelf->list);
  bpf_spin_unlock(&shelf->lock);
  CHECK(n);
  b = CONTAINER(n, struct node, list);
  if (b->key != 2) {
    DROP(b);
    return __LINE__;
  }
  DROP(b);
  bpf_spin_lock(&shelf->lock);
  n = bpf_list_pop_back(&shelf->list);
  bpf_spin_unlock(&shelf->lock);
  CHECK(n);
  a = CONTAINER(n, struct node, list);
  if (a->key != 1) {
    DROP(a);
    return __LINE__;
  }
  DROP(a);
  bpf_spin_lock(&shelf->lock);
  n = bpf_list_pop_back(&shelf->list);
  bpf_spin_unlock(&shelf->lock);
  if (n) {
    DROP(CONTAINER(n, struct node, list));
    return __LINE__;
  }
  return 0;
}

static _Bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b) {
  return CONTAINER(a, struct node, tree)->key < CONTAINER(b, struct node, tree)->key;
}

static int add(struct shelf *shelf, __u64 key) {
  struct node *n = NEW(struct node);

  CHECK(n);
  n->key = key;
  bpf_spin_lock(&shelf->lock);
  bpf_rbtree_add_impl(&shelf->tree, &n->tree, less, 0, 0);
  bpf_spin_unlock(&shelf->lock);
  return 0;
}

static __u64 take_least(struct shelf *shelf) {
  struct bpf_rb_node *first;
  struct node *n;
  __u64 key;

  bpf_spin_lock(&shelf->lock);
  first = bpf_rbtree_first(&shelf->tree);
  if (!first) {
    bpf_spin_unlock(&shelf->lock);
    return 0;
  }
  first = bpf_rbtree_remove(&shelf->tree, first);
  bpf_spin_unlock(&shelf->lock);
  if (!first) return 0;
  n = CONTAINER(first, struct node, tree);
  key = n->key;
  DROP(n);
  return key;
}

SEC("tc")
int tree_order(struct __sk_buff *skb) {
  struct shelf *shelf = the_shelf();

  CHECK(shelf);
  CHECK(add(shelf, 30) == 0);
  CHECK(add(shelf, 10) == 0);
  CHECK(add(shelf, 20) == 0);
  CHECK(take_least(shelf) == 10);
  CHECK(take_least(shelf) == 20);
  CHECK(take_least(shelf) == 30);
  CHECK(take_least(shelf) == 0);
  return 0;
}

/* Leaves nodes in list and tree at once, for the map's end. */
SEC("tc")
int leave_some(struct __sk_buff *skb) {
  struct shelf *shelf = the_shelf();
  struct node *n, *m;

  CHECK(shelf);
  n = NEW(struct node);
  CHECK(n);
  m = bpf_refcount_acquire_impl(n, 0);
  if (!m) {
    DROP(n);
    return __LINE__;
  }
  bpf_spin_lock(&shelf->lock);
  bpf_list_push_back_impl(&shelf->list, &n->list, 0, 0);
  bpf_rbtree_add_impl(&shelf->tree, &m->tree, less, 0, 0);
  bpf_spin_unlock(&shelf->lock);
  return add(shelf, 5);
}

SEC("tc")
int stash_own(struct __sk_buff *skb) {
  struct slots *slots = the_slots();
  struct node *n, *old;

  CHECK(slots);
  n = NEW(struct node);
  CHECK(n);
  n->key = 7;
  old = bpf_kptr_xchg(&slots->own, n);
  if (old) DROP(old);
  return 0;
}

SEC("tc")
int take_own(struct __sk_buff *skb) {
  struct slots *slots = the_slots();
  struct node *old;
  int key;

  CHECK(slots);
  old = bpf_kptr_xchg(&slots->own, 0);
  CHECK(old);
  key = (int)old->key;
  DROP(old);
  return key == 7 ? 0 : __LINE__;
}

SEC("tc")
int stash_hosts(struct __sk_buff *skb) {
  struct slots *slots = the_slots();
  struct thing *thing, *old;

  CHECK(slots);
  thing = thing_get(2);
  CHECK(thing);
  old = bpf_kptr_xchg(&slots->hosts, thing);
  if (old) thing_put(old);
  return 0;
}
