/* ring3/plugin.bpf.h says what __kptr means, whichever libbpf header there is, and whichever comes first; and it leaves records
 * alone that the header of the machine's Linux has. */
#include <linux/bpf.h>

#ifdef RING3_FIRST
#include <ring3/plugin.bpf.h>
#include <bpf/bpf_helpers.h>
#else
#include <bpf/bpf_helpers.h>
#include <ring3/plugin.bpf.h>
#ifdef __kptr_ref
#error "__kptr_ref has a tag that is refused"
#endif
#endif

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
#define IS(macro, tag) \
  _Static_assert(__builtin_strcmp(TEXT(macro), "__attribute__((btf_type_tag(\"" tag "\")))") == 0, "the tag of " #macro)

IS(__kptr, "kptr");
IS(__kptr_untrusted, "kptr_untrusted");
IS(__percpu_kptr, "percpu_kptr");
IS(__kptr_weak, "kptr_weak");

struct thing {
  int number;
};
struct value {
  struct thing __kptr *owned;
};
struct value value;
struct owned {
  struct bpf_list_node in_list;
  struct bpf_rb_node in_tree;
  struct bpf_refcount refs;
};
struct other {
  struct bpf_list_head list __contains(owned, in_list);
  struct bpf_rb_root tree __contains(owned, in_tree);
  struct bpf_wq work;
};
struct other other;
