/* 256 turns of an operation on objects of the program's own a run; `nothing` is the loop and the lookup alone. Each returns 0, or 1
 * when something was not there. The same object is loaded here and into the machine's kernel. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <ring3/plugin.bpf.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum { OPS = 256, TREE = 64 };

struct plain {
  __u64 key;
};

struct item {
  __u64 key;
  struct bpf_list_node node;
};

struct leaf {
  __u64 key;
  struct bpf_rb_node node;
};

struct shelf {
  struct bpf_spin_lock lock;
  struct bpf_list_head list __contains(item, node);
};

struct crown {
  struct bpf_spin_lock lock;
  struct bpf_rb_root tree __contains(leaf, node);
};

struct slot {
  struct plain __kptr *object;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct shelf);
} shelves SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct crown);
} crowns SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct slot);
} slots SEC(".maps");

__u64 seed = 1;

static struct slot *the_slot(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&slots, &zero);
}
static struct shelf *the_shelf(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&shelves, &zero);
}
static struct crown *the_crown(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&crowns, &zero);
}

static __u64 next_key(void) {
  seed = seed * 6364136223846793005ull + 1;
  return seed >> 16;
}

static long do_nothing(__u32 i, void *unused) { return the_slot() == 0; }

/* Out and in again: two exchanges. */
static long do_exchange(__u32 i, void *unused) {
  struct slot *slot = the_slot();
  struct plain *object;

  if (!slot) return 1;
  object = bpf_kptr_xchg(&slot->object, 0);
  if (!object) return 1;
  object = bpf_kptr_xchg(&slot->object, object);
  if (object) bpf_obj_drop(object);
  return 0;
}

static long do_new_drop(__u32 i, void *unused) {
  struct plain *object;

  if (!the_slot()) return 1;
  object = bpf_obj_new(struct plain);
  if (!object) return 1;
  bpf_obj_drop(object);
  return 0;
}

static long do_pop_push(__u32 i, void *unused) {
  struct shelf *shelf = the_shelf();
  struct bpf_list_node *node;

  if (!shelf) return 1;
  bpf_spin_lock(&shelf->lock);
  node = bpf_list_pop_front(&shelf->list);
  if (!node) {
    bpf_spin_unlock(&shelf->lock);
    return 1;
  }
  bpf_list_push_back(&shelf->list, node);
  bpf_spin_unlock(&shelf->lock);
  return 0;
}

static _Bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b) {
  return container_of(a, struct leaf, node)->key < container_of(b, struct leaf, node)->key;
}

/* The least comes out and goes in anywhere. */
static long do_remove_add(__u32 i, void *unused) {
  struct crown *crown = the_crown();
  struct bpf_rb_node *first;
  struct leaf *leaf;

  if (!crown) return 1;
  bpf_spin_lock(&crown->lock);
  first = bpf_rbtree_first(&crown->tree);
  if (!first) {
    bpf_spin_unlock(&crown->lock);
    return 1;
  }
  first = bpf_rbtree_remove(&crown->tree, first);
  bpf_spin_unlock(&crown->lock);
  if (!first) return 1;
  leaf = container_of(first, struct leaf, node);
  leaf->key = next_key();
  bpf_spin_lock(&crown->lock);
  bpf_rbtree_add(&crown->tree, &leaf->node, less);
  bpf_spin_unlock(&crown->lock);
  return 0;
}

static long do_grow(__u32 i, void *unused) {
  struct crown *crown = the_crown();
  struct leaf *leaf;

  if (!crown) return 1;
  leaf = bpf_obj_new(struct leaf);
  if (!leaf) return 1;
  leaf->key = next_key();
  bpf_spin_lock(&crown->lock);
  bpf_rbtree_add(&crown->tree, &leaf->node, less);
  bpf_spin_unlock(&crown->lock);
  return 0;
}

/* An object in the slot, one in the list, some in the tree. */
SEC("tc")
int fill(struct __sk_buff *skb) {
  struct shelf *shelf = the_shelf();
  struct slot *slot = the_slot();
  struct plain *object;
  struct item *item;

  if (!slot || !shelf) return 1;
  object = bpf_obj_new(struct plain);
  if (!object) return 1;
  object = bpf_kptr_xchg(&slot->object, object);
  if (object) bpf_obj_drop(object);
  item = bpf_obj_new(struct item);
  if (!item) return 1;
  bpf_spin_lock(&shelf->lock);
  bpf_list_push_back(&shelf->list, &item->node);
  bpf_spin_unlock(&shelf->lock);
  return bpf_loop(TREE, do_grow, 0, 0) != TREE;
}

#define PROGRAM(name)                            \
  SEC("tc")                                      \
  int name(struct __sk_buff *skb) {              \
    return bpf_loop(OPS, do_##name, 0, 0) != OPS; \
  }

PROGRAM(nothing)
PROGRAM(exchange)
PROGRAM(new_drop)
PROGRAM(pop_push)
PROGRAM(remove_add)
