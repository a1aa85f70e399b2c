/* Linux's own kernel functions that programs may call, with the prototypes of 6.12: ring3_add_btf() puts them into the BTF
 * of every host, so that loaders find them. Names of parameters carry what types cannot say. Which of them a runtime has
 * is decided by exec/kfunc_table.h; their flags stand in model/kernel_kfuncs.def. C, included after bpf_abi.h. */
#ifndef RING3_BPF_KFUNCS_H
#define RING3_BPF_KFUNCS_H

void *bpf_obj_new_impl(__u64 local_type_id__k, void *meta__ign) RING3_KFUNC;
void bpf_obj_drop_impl(void *p__alloc, void *meta__ign) RING3_KFUNC;
void *bpf_percpu_obj_new_impl(__u64 local_type_id__k, void *meta__ign) RING3_KFUNC;
void bpf_percpu_obj_drop_impl(void *p__alloc, void *meta__ign) RING3_KFUNC;
void *bpf_refcount_acquire_impl(void *p__refcounted_kptr, void *meta__ign) RING3_KFUNC;

int bpf_list_push_front_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta__ign, __u64 off) RING3_KFUNC;
int bpf_list_push_back_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta__ign, __u64 off) RING3_KFUNC;
struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head) RING3_KFUNC;
struct bpf_list_node *bpf_list_pop_back(struct bpf_list_head *head) RING3_KFUNC;
int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node,
                        _Bool(less)(struct bpf_rb_node *a, const struct bpf_rb_node *b), void *meta__ign, __u64 off) RING3_KFUNC;
struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root, struct bpf_rb_node *node) RING3_KFUNC;
struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) RING3_KFUNC;

void bpf_rcu_read_lock(void) RING3_KFUNC;
void bpf_rcu_read_unlock(void) RING3_KFUNC;
void bpf_preempt_disable(void) RING3_KFUNC;
void bpf_preempt_enable(void) RING3_KFUNC;

void *bpf_cast_to_kern_ctx(void *obj) RING3_KFUNC;
void *bpf_rdonly_cast(const void *obj__ign, __u32 btf_id__k) RING3_KFUNC;

int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) RING3_KFUNC;
int *bpf_iter_num_next(struct bpf_iter_num *it) RING3_KFUNC;
void bpf_iter_num_destroy(struct bpf_iter_num *it) RING3_KFUNC;
int bpf_iter_bits_new(struct bpf_iter_bits *it, const __u64 *unsafe_ptr__ign, __u32 nr_words) RING3_KFUNC;
int *bpf_iter_bits_next(struct bpf_iter_bits *it) RING3_KFUNC;
void bpf_iter_bits_destroy(struct bpf_iter_bits *it) RING3_KFUNC;

struct task_struct *bpf_task_acquire(struct task_struct *p) RING3_KFUNC;
void bpf_task_release(struct task_struct *p) RING3_KFUNC;
struct task_struct *bpf_task_from_pid(int pid) RING3_KFUNC;
int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task__nullable, unsigned int flags) RING3_KFUNC;
struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) RING3_KFUNC;
void bpf_iter_task_destroy(struct bpf_iter_task *it) RING3_KFUNC;

int bpf_dynptr_from_skb(struct __sk_buff *s, __u64 flags, struct bpf_dynptr *ptr__uninit) RING3_KFUNC;
int bpf_dynptr_from_xdp(struct xdp_md *x, __u64 flags, struct bpf_dynptr *ptr__uninit) RING3_KFUNC;
void *bpf_dynptr_slice(const struct bpf_dynptr *p, __u32 offset, void *buffer__opt, __u32 buffer__szk) RING3_KFUNC;
void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *p, __u32 offset, void *buffer__opt, __u32 buffer__szk) RING3_KFUNC;
int bpf_dynptr_adjust(const struct bpf_dynptr *p, __u32 start, __u32 end) RING3_KFUNC;
_Bool bpf_dynptr_is_null(const struct bpf_dynptr *p) RING3_KFUNC;
_Bool bpf_dynptr_is_rdonly(const struct bpf_dynptr *p) RING3_KFUNC;
__u32 bpf_dynptr_size(const struct bpf_dynptr *p) RING3_KFUNC;
int bpf_dynptr_clone(const struct bpf_dynptr *p, struct bpf_dynptr *clone__uninit) RING3_KFUNC;

int bpf_wq_init(struct bpf_wq *wq, void *p__map, unsigned int flags) RING3_KFUNC;
int bpf_wq_set_callback_impl(struct bpf_wq *wq, int(callback_fn)(void *map, int *key, void *value), unsigned int flags,
                             void *aux__ign) RING3_KFUNC;
int bpf_wq_start(struct bpf_wq *wq, unsigned int flags) RING3_KFUNC;

void *bpf_arena_alloc_pages(void *p__map, void *addr__ign, __u32 page_cnt, int node_id, __u64 flags) RING3_KFUNC;
void bpf_arena_free_pages(void *p__map, void *ptr__ign, __u32 page_cnt) RING3_KFUNC;

void bpf_throw(__u64 cookie) RING3_KFUNC;

#endif
