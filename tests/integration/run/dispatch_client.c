// A loader that composes XDP programs as libxdp does (behaviour.md D.6), with the dispatcher object that libxdp installs:
//
//   dispatch_client add IFINDEX DISPATCHER OBJECT NAME [ANSWER]
//   dispatch_client remove IFINDEX DISPATCHER NAME
//   dispatch_client churn IFINDEX DISPATCHER OBJECT NAME TIMES    adds it and removes it, so many times
//
// DISPATCH_VERSION: the version its dispatchers say they have.
// Each change builds a whole new dispatcher beside the one that runs, enters the components there, pins it and swaps it in if the old
// one is still there; else it begins again. The tree below /sys/fs/bpf/xdp and its lock are libxdp's; the link of the device is
// pinned there too, as link-IFINDEX: that is how the dispatcher that runs is found.
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOTS 10
#define ROOT "/sys/fs/bpf/xdp"

// The record in the dispatcher's read-only data.
struct config {
  unsigned char magic, version, enabled, frags;
  unsigned int masks[SLOTS], priorities[SLOTS], flags[SLOTS];
};
enum { kMagic = 236, kVersion = 2, kAlwaysNext = 31 };

static unsigned char own_version(void) {
  const char* version = getenv("DISPATCH_VERSION");
  return (unsigned char)(version ? atoi(version) : kVersion);
}

struct component {
  char name[BPF_OBJ_NAME_LEN];
  int program;
  unsigned int priority, mask;
};

struct set {
  struct component of[SLOTS + 1];
  int count;
  int dispatcher;  // -1: none
  char folder[128];
};

static int fail(int result, const char* format, ...) {
  va_list words;
  va_start(words, format);
  vfprintf(stderr, format, words);
  va_end(words);
  fprintf(stderr, ": %s\n", strerror(result < 0 ? -result : errno));
  return result < 0 ? result : -errno;
}

static int program_info(int program, struct bpf_prog_info* info) {
  __u32 size = sizeof *info;
  return bpf_obj_get_info_by_fd(program, info, &size);
}

// The map of a program whose whole value is a record: its read-only data.
static int read_config(int dispatcher, struct config* config) {
  struct bpf_prog_info info = {};
  __u32 map_id = 0, key = 0;
  info.nr_map_ids = 1;
  info.map_ids = (unsigned long)&map_id;
  if (program_info(dispatcher, &info) || info.nr_map_ids != 1) return fail(-EINVAL, "a dispatcher has one map");
  const int map = bpf_map_get_fd_by_id(map_id);
  if (map < 0) return fail(map, "the dispatcher's map");
  const int result = bpf_map_lookup_elem(map, &key, config);
  close(map);
  if (result || config->magic != kMagic) return fail(-EPROTO, "the record of no dispatcher");
  if (config->version != own_version()) return fail(-EOPNOTSUPP, "a dispatcher of version %d", config->version);
  return 0;
}

static void forget(struct set* set) {
  for (int i = 0; i < set->count; ++i) close(set->of[i].program);
  if (set->dispatcher >= 0) close(set->dispatcher);
}

// Which dispatcher runs at the link, with its components by its record and its pins.
static int read_set(int link, unsigned int ifindex, struct set* set) {
  struct bpf_link_info info = {};
  struct config config;
  __u32 size = sizeof info;
  set->count = 0;
  set->dispatcher = -1;
  if (link < 0) return 0;
  if (bpf_obj_get_info_by_fd(link, &info, &size)) return fail(0, "the device's link");
  set->dispatcher = bpf_prog_get_fd_by_id(info.prog_id);
  if (set->dispatcher < 0) return fail(0, "the dispatcher");
  if (read_config(set->dispatcher, &config)) return -EPROTO;
  snprintf(set->folder, sizeof set->folder, ROOT "/dispatch-%u-%u", ifindex, info.prog_id);
  for (int i = 0; i < config.enabled; ++i) {
    struct component* at = &set->of[set->count];
    struct bpf_prog_info about = {};
    char path[192];
    snprintf(path, sizeof path, "%s/prog%d-prog", set->folder, i);
    at->program = bpf_obj_get(path);
    if (at->program < 0) return fail(at->program, "%s", path);
    ++set->count;
    if (program_info(at->program, &about)) return fail(0, "%s", path);
    snprintf(at->name, sizeof at->name, "%s", about.name);
    at->priority = config.priorities[i];
    at->mask = config.masks[i];
  }
  return 0;
}

static int by_priority_and_name(const void* a, const void* b) {
  const struct component *one = a, *other = b;
  if (one->priority != other->priority) return one->priority < other->priority ? -1 : 1;
  return strcmp(one->name, other->name);
}

// The number that a map definition's member stands for: __uint() points to an array of so many.
static unsigned int number_of(const struct btf* btf, const struct btf_member* member) {
  const struct btf_type* type = btf__type_by_id(btf, member->type);
  type = btf__type_by_id(btf, type->type);
  return btf_array(type)->nelems;
}

// Priority and mask of a program, by the variable of its name in `.xdp_run_config`.
static void read_wishes(const struct btf* btf, struct component* component) {
  static const char* const actions[] = {"XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX", "XDP_REDIRECT"};
  char variable[BPF_OBJ_NAME_LEN + 1];
  component->priority = 50;
  component->mask = 1u << 2;
  snprintf(variable, sizeof variable, "_%s", component->name);
  const int id = btf ? btf__find_by_name_kind(btf, variable, BTF_KIND_VAR) : -ENOENT;
  if (id < 0) return;
  const struct btf_type* wishes = btf__type_by_id(btf, btf__type_by_id(btf, id)->type);
  for (int i = 0; i < btf_vlen(wishes); ++i) {
    const struct btf_member* member = btf_members(wishes) + i;
    const char* name = btf__name_by_offset(btf, member->name_off);
    if (!strcmp(name, "priority")) component->priority = number_of(btf, member);
    for (unsigned int action = 0; action < sizeof actions / sizeof *actions; ++action)
      if (!strcmp(name, actions[action])) component->mask = number_of(btf, member) ? component->mask | 1u << action : component->mask & ~(1u << action);
  }
}

static struct bpf_object* open_dispatcher(const char* path, const struct set* set) {
  struct bpf_object* object = bpf_object__open_file(path, NULL);
  struct config config = {.magic = kMagic, .version = own_version(), .enabled = (unsigned char)set->count};
  struct bpf_program* program;
  struct bpf_map* map;
  if (!object) return NULL;
  for (int i = 0; i < set->count; ++i) {
    config.masks[i] = set->of[i].mask | 1u << kAlwaysNext;
    config.priorities[i] = set->of[i].priority;
  }
  bpf_object__for_each_map(map, object)
    if (strstr(bpf_map__name(map), ".rodata") && bpf_map__set_initial_value(map, &config, sizeof config)) return NULL;
  bpf_object__for_each_program(program, object)
    bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), "xdp_dispatcher"));
  return bpf_object__load(object) ? NULL : object;
}

static int placeholder_id(const struct bpf_object* dispatcher, int slot) {
  char name[16];
  snprintf(name, sizeof name, "prog%d", slot);
  return btf__find_by_name_kind(bpf_object__btf(dispatcher), name, BTF_KIND_FUNC);
}

// A new component is verified for the placeholder it goes to; those that run elsewhere already are attached here too.
static int load_component(const char* path, struct component* component, int dispatcher, int slot, int answer) {
  struct bpf_object* object = bpf_object__open_file(path, NULL);
  struct bpf_program *program, *chosen = NULL;
  struct bpf_map* map;
  char placeholder[16];
  if (!object) return fail(0, "%s", path);
  bpf_object__for_each_program(program, object) {
    const int is_it = !strcmp(bpf_program__name(program), component->name);
    bpf_program__set_autoload(program, is_it);
    if (is_it) chosen = program;
  }
  if (!chosen) return fail(-ENOENT, "%s in %s", component->name, path);
  snprintf(placeholder, sizeof placeholder, "prog%d", slot);
  bpf_program__set_type(chosen, BPF_PROG_TYPE_EXT);
  bpf_program__set_expected_attach_type(chosen, 0);
  if (bpf_program__set_attach_target(chosen, dispatcher, placeholder)) return fail(0, "%s as a target", placeholder);
  bpf_object__for_each_map(map, object)
    if (answer >= 0 && strstr(bpf_map__name(map), ".rodata") && bpf_map__set_initial_value(map, &answer, sizeof answer)) return fail(0, "the answer");
  if (bpf_object__load(object)) return fail(0, "%s", component->name);
  component->program = dup(bpf_program__fd(chosen));
  bpf_object__close(object);
  return component->program < 0 ? fail(0, "dup") : 0;
}

static void remove_folder(const char* folder) {
  char path[192];
  for (int i = 0; i < SLOTS; ++i) {
    snprintf(path, sizeof path, "%s/prog%d-link", folder, i);
    unlink(path);
    snprintf(path, sizeof path, "%s/prog%d-prog", folder, i);
    unlink(path);
  }
  rmdir(folder);
}

static int enter_components(const struct set* set, const struct bpf_object* dispatcher, int program, const char* folder) {
  char path[192];
  if (mkdir(folder, 0700)) return fail(0, "%s", folder);
  for (int i = 0; i < set->count; ++i) {
    LIBBPF_OPTS(bpf_link_create_opts, options, .target_btf_id = (__u32)placeholder_id(dispatcher, i));
    const int link = bpf_link_create(set->of[i].program, program, 0, &options);
    if (link < 0) return fail(link, "%s into slot %d", set->of[i].name, i);
    snprintf(path, sizeof path, "%s/prog%d-link", folder, i);
    if (bpf_obj_pin(link, path)) return fail(0, "%s", path);
    snprintf(path, sizeof path, "%s/prog%d-prog", folder, i);
    if (bpf_obj_pin(set->of[i].program, path)) return fail(0, "%s", path);
    close(link);
  }
  return 0;
}

// -EPERM: somebody else was first.
static int swap_in(int link, unsigned int ifindex, int program, const struct set* old) {
  char path[64];
  if (link >= 0) {
    LIBBPF_OPTS(bpf_link_update_opts, options, .flags = BPF_F_REPLACE, .old_prog_fd = (__u32)old->dispatcher);
    return bpf_link_update(link, program, &options);
  }
  const int fresh = bpf_link_create(program, (int)ifindex, BPF_XDP, NULL);
  if (fresh < 0) return fresh == -EBUSY ? -EPERM : fresh;
  snprintf(path, sizeof path, ROOT "/link-%u", ifindex);
  return bpf_obj_pin(fresh, path);
}

// add: the object that has the component; null: it goes.
static int change(const char* path_of_dispatcher, unsigned int ifindex, const char* add, const char* name, int answer) {
  struct set now, next;
  struct bpf_prog_info about = {};
  char path[64], folder[128];
  snprintf(path, sizeof path, ROOT "/link-%u", ifindex);
  const int link = bpf_obj_get(path);
  int result = read_set(link, ifindex, &now), fresh = -1;
  if (result) return result;
  next = now;
  if (add) {
    struct component* component = &next.of[next.count++];
    struct bpf_object* object = bpf_object__open_file(add, NULL);
    if (next.count > SLOTS) return fail(-E2BIG, "a dispatcher has %d slots", SLOTS);
    if (!object) return fail(0, "%s", add);
    memset(component, 0, sizeof *component);
    snprintf(component->name, sizeof component->name, "%s", name);
    component->program = -1;
    read_wishes(bpf_object__btf(object), component);
    bpf_object__close(object);
  } else {
    for (int i = next.count = 0; i < now.count; ++i)
      if (strcmp(now.of[i].name, name)) next.of[next.count++] = now.of[i];
    if (next.count == now.count) return fail(-ENOENT, "%s", name);
  }
  qsort(next.of, (size_t)next.count, sizeof next.of[0], by_priority_and_name);
  struct bpf_object* dispatcher = open_dispatcher(path_of_dispatcher, &next);
  if (!dispatcher) return fail(0, "%s", path_of_dispatcher);
  const int program = bpf_program__fd(bpf_object__find_program_by_name(dispatcher, "xdp_dispatcher"));
  for (int i = 0; i < next.count; ++i)
    if (next.of[i].program < 0) fresh = i;
  if (fresh >= 0) result = load_component(add, &next.of[fresh], program, fresh, answer);
  if (!result && program_info(program, &about)) result = fail(0, "the new dispatcher");
  snprintf(folder, sizeof folder, ROOT "/dispatch-%u-%u", ifindex, about.id);
  if (!result) result = enter_components(&next, dispatcher, program, folder);
  if (!result) result = swap_in(link, ifindex, program, &now);
  if (result) remove_folder(folder);
  else if (link >= 0) remove_folder(now.folder);
  bpf_object__close(dispatcher);
  forget(&now);
  if (fresh >= 0) close(next.of[fresh].program);
  if (link >= 0) close(link);
  return result;
}

// Begins again while somebody else is first.
static int change_alone(int lock, const char* dispatcher, unsigned int ifindex, const char* add, const char* name, int answer) {
  int result = -EPERM;
  for (int tries = 0; result == -EPERM && tries < 100; ++tries) {
    if (flock(lock, LOCK_EX)) return fail(0, "the lock of " ROOT);
    result = change(dispatcher, ifindex, add, name, answer);
    flock(lock, LOCK_UN);
  }
  return result;
}

int main(int argc, char** argv) {
  const int adds = argc >= 6 && argc <= 7 && !strcmp(argv[1], "add"), removes = argc == 5 && !strcmp(argv[1], "remove");
  const int churns = argc == 7 && !strcmp(argv[1], "churn");
  int result = 0;
  if (!adds && !removes && !churns) return fprintf(stderr, "usage: dispatch_client add|remove|churn IFINDEX DISPATCHER …\n"), 2;
  libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
  mkdir(ROOT, 0700);
  const int lock = open(ROOT, O_RDONLY | O_DIRECTORY);
  if (lock < 0) return fail(0, ROOT), 1;
  const unsigned int ifindex = (unsigned int)atoi(argv[2]);
  if (removes) return change_alone(lock, argv[3], ifindex, NULL, argv[4], -1) ? 1 : 0;
  if (adds) return change_alone(lock, argv[3], ifindex, argv[4], argv[5], argc == 7 ? atoi(argv[6]) : -1) ? 1 : 0;
  for (int left = atoi(argv[6]); left > 0 && !result; --left) {
    result = change_alone(lock, argv[3], ifindex, argv[4], argv[5], -1);
    if (!result) result = change_alone(lock, argv[3], ifindex, NULL, argv[5], -1);
  }
  return result ? 1 : 0;
}
