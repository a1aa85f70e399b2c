/* For BPF plug-ins that own objects: the special fields of map values and of a plug-in's own structs, and the functions on
 * them. C for clang's BPF target; goes with <bpf/bpf_helpers.h>, before or after it. docs/kptr.md says what each is good for.
 *
 * What __kptr means here, whatever libbpf's header says: the owned reference of Linux 6.4 and later (tag "kptr"), moved in and
 * out by bpf_kptr_xchg() only. libbpf before 1.2 documents its __kptr as a plain copy, though its tag is the same one; its
 * __kptr_ref has a tag that Linux 6.4 and ring3 refuse. So both are taken away here, and defined anew. A libbpf header that is
 * included later says the same of __kptr, with the same tag (tests/kptr_doc/header_order.bpf.c).
 */
#ifndef RING3_PLUGIN_BPF_H
#define RING3_PLUGIN_BPF_H

#undef __kptr
#undef __kptr_ref
#undef __kptr_untrusted
#undef __percpu_kptr
#undef __kptr_weak
#define __kptr __attribute__((btf_type_tag("kptr")))                     /* owned; exchange only */
#define __kptr_untrusted __attribute__((btf_type_tag("kptr_untrusted"))) /* a plain copy; reads through it never fault */
#define __percpu_kptr __attribute__((btf_type_tag("percpu_kptr")))       /* owned, one copy per CPU */
/* ring3's own: does not keep the host's object alive, and reads as null once its last reference is gone. Exchanged as an owned
 * one, outside of locks: the reference passed is given back, the one returned is had anew, or null. Linux refuses the tag. */
#define __kptr_weak __attribute__((btf_type_tag("kptr_weak")))

/* A value for each object of a registered type, gone with the object: Linux's storage of control groups, which takes any here.
 * map_flags BPF_F_NO_PREALLOC, key int, no max_entries. flags: BPF_LOCAL_STORAGE_GET_F_CREATE. */
#define RING3_OBJECT_STORAGE 32 /* BPF_MAP_TYPE_CGRP_STORAGE */
#define ring3_storage_get(map, object, init, flags) \
  (((void *(*)(void *, void *, void *, unsigned long long))210)(map, object, init, flags))
#define ring3_storage_delete(map, object) (((long (*)(void *, void *))211)(map, object))

#ifndef __ksym
#define __ksym __attribute__((section(".ksyms")))
#endif
#define __contains(type, member) __attribute__((btf_decl_tag("contains:" #type ":" #member)))
#ifndef container_of
#define container_of(ptr, type, member) ((type *)((void *)(ptr) - __builtin_offsetof(type, member)))
#endif

/* A record that came before, with <linux/bpf.h> of this Linux or newer or with vmlinux.h, is that header's. */
#if defined(__VMLINUX_H__)
#define RING3_NEWER_THAN(major, minor) 0
#elif defined(__LINUX_BPF_H__) || defined(_UAPI__LINUX_BPF_H__)
#include <linux/version.h>
#define RING3_NEWER_THAN(major, minor) (LINUX_VERSION_CODE < (((major) << 16) + ((minor) << 8)))
#else
#define RING3_NEWER_THAN(major, minor) 1
#endif
#if RING3_NEWER_THAN(6, 2)
struct bpf_list_head { unsigned long long __opaque[2]; } __attribute__((aligned(8)));
struct bpf_list_node { unsigned long long __opaque[3]; } __attribute__((aligned(8)));
#endif
#if RING3_NEWER_THAN(6, 3)
struct bpf_rb_root { unsigned long long __opaque[2]; } __attribute__((aligned(8)));
struct bpf_rb_node { unsigned long long __opaque[4]; } __attribute__((aligned(8)));
#endif
#if RING3_NEWER_THAN(6, 4)
struct bpf_refcount { unsigned int __opaque[1]; } __attribute__((aligned(4)));
#endif
#if RING3_NEWER_THAN(6, 10)
struct bpf_wq { unsigned long long __opaque[2]; } __attribute__((aligned(8)));
#endif
#undef RING3_NEWER_THAN

extern void *bpf_obj_new_impl(unsigned long long local_type_id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *object, void *meta) __ksym;
extern void *bpf_percpu_obj_new_impl(unsigned long long local_type_id, void *meta) __ksym;
extern void bpf_percpu_obj_drop_impl(void *object, void *meta) __ksym;
extern void *bpf_refcount_acquire_impl(void *object, void *meta) __ksym;
extern int bpf_list_push_front_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta,
                                    unsigned long long off) __ksym;
extern int bpf_list_push_back_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta,
                                   unsigned long long off) __ksym;
extern struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head) __ksym;
extern struct bpf_list_node *bpf_list_pop_back(struct bpf_list_head *head) __ksym;
extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node,
                               _Bool(less)(struct bpf_rb_node *a, const struct bpf_rb_node *b), void *meta,
                               unsigned long long off) __ksym;
extern struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root, struct bpf_rb_node *node) __ksym;
extern struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __ksym;

/* Work items: functions called in a thread of the runtime, where they may sleep. 0, or a negative errno. */
extern int bpf_wq_init(struct bpf_wq *wq, void *map, unsigned int flags) __ksym;
extern int bpf_wq_start(struct bpf_wq *wq, unsigned int flags) __ksym;
extern int bpf_wq_set_callback_impl(struct bpf_wq *wq, int(callback)(void *map, int *key, void *value), unsigned int flags,
                                    void *aux) __ksym;

/* The threads of the host's process. Of struct task_struct (pid, tgid, comm) a plug-in declares what it reads, with
 * __attribute__((preserve_access_index)). A walk is made, and read, inside a read section: bpf_for_each(task, ...) of newer
 * libbpf headers, or by hand. */
struct task_struct;
#ifndef __VMLINUX_H__
struct bpf_iter_task { unsigned long long __opaque[3]; } __attribute__((aligned(8)));
#endif
enum { RING3_TASKS_OF_ALL = 1 /* every thread */, RING3_TASKS_OF_PROCESS = 2 /* those of the argument's process */ };
extern struct task_struct *bpf_task_acquire(struct task_struct *task) __ksym;
extern struct task_struct *bpf_task_from_pid(int pid) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;
extern int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task, unsigned int flags) __ksym;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __ksym;
extern void bpf_iter_task_destroy(struct bpf_iter_task *it) __ksym;

/* 0: BPF_TYPE_ID_LOCAL */
#define bpf_obj_new(type) ((type *)bpf_obj_new_impl(__builtin_btf_type_id(*(type *)0, 0), 0))
#define bpf_obj_drop(object) bpf_obj_drop_impl(object, 0)
#define bpf_percpu_obj_new(type) ((type *)bpf_percpu_obj_new_impl(__builtin_btf_type_id(*(type *)0, 0), 0))
#define bpf_percpu_obj_drop(object) bpf_percpu_obj_drop_impl(object, 0)
#define bpf_wq_set_callback(wq, callback, flags) bpf_wq_set_callback_impl(wq, callback, flags, 0)
#define bpf_refcount_acquire(object) ((__typeof__(object))bpf_refcount_acquire_impl(object, 0))
#define bpf_list_push_front(head, node) bpf_list_push_front_impl(head, node, 0, 0)
#define bpf_list_push_back(head, node) bpf_list_push_back_impl(head, node, 0, 0)
#define bpf_rbtree_add(root, node, less) bpf_rbtree_add_impl(root, node, less, 0, 0)

#endif
