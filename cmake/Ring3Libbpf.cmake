# ring3_libbpf_door: libbpf.a whose bpf(2) calls go to a host (src/control/libbpf_door.h). For tools; the library
# and its hosts never link libbpf.
find_library(RING3_LIBBPF NAMES libbpf.a DOC "static libbpf for the tools")
if(RING3_LIBBPF)
  add_library(ring3_libbpf_door STATIC EXCLUDE_FROM_ALL src/control/libbpf_door.cc)
  target_link_libraries(ring3_libbpf_door PRIVATE ring3_flags PUBLIC ring3_control ${RING3_LIBBPF} elf z)
  target_link_options(ring3_libbpf_door INTERFACE
    -Wl,--wrap=syscall -Wl,--wrap=open64 -Wl,--wrap=fopen64 -Wl,--wrap=faccessat -Wl,--wrap=statfs64
    -Wl,--wrap=mkdir -Wl,--wrap=unlink)
endif()
