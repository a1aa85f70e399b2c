// The lock order, as a tree: whoever holds a lock may take only those indented below it (any depth).
// Locks on the same level are never held together unless a line says how.
//
//   module registry                       src/module
//     load transaction (Transaction)      src/object/transaction.h
//     drain                               src/syscall/descriptors.h: dropping what clients closed; the locks of links,
//                                         maps and elements may be taken below it
//     struct_ops map                      src/struct_ops: state machine of one map
//       attach point                      src/attach: order of programs at one hook
//         link                            src/attach: what one link points at
//           functions of a program        src/prog/function_hooks.h: what replaces and traces them; program arrays take it too
//     map control                         src/maps: freeze, program array owner
//       nodes' cell                       src/maps/kinds/trie_nodes.h: free nodes of a trie, the thread's own; never two
//         trie                            src/maps/kinds/lpm_trie_map.cc: writers of one trie, and walks
//       chain, slot                       src/maps: one bucket of a hash (link_lock.h), slots of an fd-valued array
//         element cell                    src/maps/kinds/element_store.h: places and free elements; several in the order of their numbers
//         value lock (bpf_spin_lock)      src/maps/word_lock.h: inside one map value
//     id table (ObjectTable)              src/object/object_table.h
//       reference origins (debug)         src/object/ref_origin.cc
//     weak slots                          src/object/weak_table.h: leaves; two buckets in the order of their addresses
//
// Rules beside the tree
//  * A read section (RCU) may be entered anywhere; inside one nobody waits for a grace period or does I/O.
//  * The last reference to an object may be dropped under any lock above the id table: unref() takes only
//    the id table's lock, last_ref() takes no lock, and destruction happens on the reclaim thread.
//  * No lock is held while a program, a host callback or a log sink runs, except the value lock, which a
//    program takes and releases itself.
//  * Two chains are never held together. An LRU victim is taken out of its own chain before the chain of
//    the new element is locked.
#pragma once
