# ring3_fuse: a bpffs in the machine's file system (src/fuse), with libfuse3. For tools; the library and its hosts never
# link libfuse.
pkg_check_modules(fuse3 REQUIRED IMPORTED_TARGET fuse3)
file(GLOB fuse_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/fuse/*.cc)
set(fuse_tests ${fuse_sources})
list(FILTER fuse_sources EXCLUDE REGEX "_test\\.cc$")
list(FILTER fuse_tests INCLUDE REGEX "_test\\.cc$")
add_library(ring3_fuse STATIC EXCLUDE_FROM_ALL ${fuse_sources})
target_link_libraries(ring3_fuse PRIVATE ring3_flags PUBLIC ring3_bpffs PkgConfig::fuse3)
if(BUILD_TESTING)
  add_executable(fuse_test ${fuse_tests})
  target_link_libraries(fuse_test PRIVATE ring3_fuse)
  ring3_tests(fuse_test)
endif()
