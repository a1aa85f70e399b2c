/* The plug-in: the suite's arrays (each file of tools/testing/selftests/bpf/verifier initialises elements of one array) as a
 * table of struct array_case. array_files.h is made by scripts/conformance:
 *
 *   static struct bpf_test basic_cases[] = {            for each file
 *   #include <verifier/basic.c>
 *   };
 *   static const struct array_file files[] = { ARRAY_FILE(basic), ... };
 */
#include "bpf_test.h"

struct array_file {
  const char *name;
  struct bpf_test *tests;
  uint32_t count;
};
#define ARRAY_FILE(name) {#name, name##_cases, sizeof(name##_cases) / sizeof(name##_cases[0])}

#include "array_files.h"

/* At least one: the suite's empty program is an instruction of zeros. */
static uint32_t length_without_zeros(const struct bpf_insn *insns, uint32_t count) {
  while (count > 1 && insns[count - 1].code == 0 && insns[count - 1].imm == 0) --count;
  return count;
}

/* Up to the first instruction of nothing but zeros. */
static uint32_t length_to_zero(const struct bpf_insn *insns) {
  uint32_t n = 0;
  while (n < MAX_MATCH_INSNS && (insns[n].code | insns[n].dst_reg | insns[n].src_reg | insns[n].off | insns[n].imm) != 0) ++n;
  return n;
}

static void add_fixups(struct array_case *out, const struct bpf_test *test) {
  struct array_fixup *fixups = calloc(ARRAY_MAP_COUNT * MAX_FIXUPS, sizeof(*fixups));
#define ARRAY_MAP(name, field) \
  for (int i = 0; i < MAX_FIXUPS && test->field[i] != 0; ++i) fixups[out->fixup_count++] = (struct array_fixup){ARRAY_MAP_##name, test->field[i]};
  ARRAY_MAPS(ARRAY_MAP)
#undef ARRAY_MAP
  out->fixups = fixups;
  struct array_kfunc *kfuncs = calloc(MAX_FIXUPS, sizeof(*kfuncs));
  for (int i = 0; i < MAX_FIXUPS && test->fixup_kfunc_btf_id[i].kfunc != NULL; ++i)
    kfuncs[out->kfunc_count++] = (struct array_kfunc){test->fixup_kfunc_btf_id[i].kfunc, test->fixup_kfunc_btf_id[i].insn_idx};
  out->kfuncs = kfuncs;
}

/* Flags above the two of alignment are load flags as they stand. So is the one that asks for a compiler: its number is that of
 * BPF_F_TEST_RND_HI32, and the suite's runner passes it on.
 */
static uint32_t load_flags(uint8_t flags) {
  uint32_t out = flags & ~3u;
  if (flags & F_LOAD_WITH_STRICT_ALIGNMENT) out |= BPF_F_STRICT_ALIGNMENT;
  if (flags & F_NEEDS_EFFICIENT_UNALIGNED_ACCESS) out |= BPF_F_ANY_ALIGNMENT;
  return out;
}

static void add_runs(struct array_case *out, const struct bpf_test *test) {
  struct array_run *runs = calloc(MAX_TEST_RUNS, sizeof(*runs));
  out->run_count = test->runs < 0 ? 0 : test->runs == 0 ? 1 : (uint32_t)test->runs;
  for (uint32_t i = 0; i < out->run_count; ++i) {
    runs[i].retval = test->retvals[i].retval;
    runs[i].retval_unpriv = test->retvals[i].retval_unpriv;
    __builtin_memcpy(runs[i].data, test->retvals[i].data, ARRAY_DATA_BYTES);
  }
  out->runs = runs;
}

static void flatten(struct array_case *out, const char *file, struct bpf_test *test) {
  if (test->fill_helper != NULL) test->fill_helper(test);
  out->file = file;
  out->descr = test->descr;
  out->insns = test->fill_insns != NULL ? test->fill_insns : test->insns;
  out->insn_count = test->fill_insns != NULL ? (uint32_t)test->prog_len : length_without_zeros(test->insns, MAX_INSNS);
  add_fixups(out, test);
  out->expected = test->expected_insns;
  out->expected_count = length_to_zero(test->expected_insns);
  out->unexpected = test->unexpected_insns;
  out->unexpected_count = length_to_zero(test->unexpected_insns);
  out->gap = SKIP_INSNS();
  out->errstr = test->errstr;
  out->errstr_unpriv = test->errstr_unpriv;
  out->insn_processed = test->insn_processed;
  out->result = (enum array_result)test->result;
  out->result_unpriv = (enum array_result)test->result_unpriv;
  out->prog_type = test->prog_type == 0 ? BPF_PROG_TYPE_SOCKET_FILTER : test->prog_type;
  out->expected_attach_type = test->expected_attach_type;
  out->prog_flags = load_flags(test->flags);
  add_runs(out, test);
  out->target = test->kfunc;
  out->func_info = test->func_info;
  out->func_info_count = (uint32_t)test->func_info_cnt;
  if (test->btf_types[0] == 0) return;
  uint32_t words = 0;
  while (words < MAX_BTF_TYPES && test->btf_types[words] != BTF_END_RAW) ++words;
  out->btf_types = test->btf_types;
  out->btf_types_bytes = words * 4;
  out->btf_strings = test->btf_strings;
  out->btf_strings_bytes = sizeof(test->btf_strings);
}

const struct array_case *ring3_array_cases(uint32_t *count) {
  static struct array_case *table;
  static uint32_t cases;
  if (table == NULL) {
    uint32_t room = 0;
    for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); ++i) room += files[i].count;
    table = calloc(room, sizeof(*table));
    for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); ++i)
      for (uint32_t k = 0; k < files[i].count; ++k) flatten(&table[cases++], files[i].name, &files[i].tests[k]);
  }
  *count = cases;
  return table;
}
