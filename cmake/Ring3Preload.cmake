# libring3_preload.so: bpf(2) of dynamically linked programs to a host, without seccomp (src/control/preload_door.cc). It goes into programs
# that know nothing of sanitizers, so builds with them have none.
if(NOT RING3_SANITIZE AND NOT RING3_FUZZ)
  add_library(ring3_preload SHARED src/control/preload_door.cc)
  target_link_libraries(ring3_preload PRIVATE ring3_flags ring3_control ${CMAKE_DL_LIBS})
  target_link_options(ring3_preload PRIVATE -Wl,--exclude-libs,ALL -Wl,--gc-sections)
  set_target_properties(ring3_preload PROPERTIES CXX_VISIBILITY_PRESET hidden LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/src/cli)
endif()
