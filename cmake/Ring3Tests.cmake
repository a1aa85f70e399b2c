# ring3_tests(TARGET): TARGET is a GoogleTest program; CTest knows each of its tests as TARGET:Suite.Name.
#
# Test code is not optimised and reads GoogleTest precompiled: three builds of it are most of a check from nothing. The library under
# test, and helpers that do not call ring3_tests, are compiled as every preset says.
include(GoogleTest)

add_library(ring3_gtest STATIC EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/cmake/ring3_gtest.cc)
target_link_libraries(ring3_gtest PRIVATE ring3_flags GTest::gtest)
target_compile_options(ring3_gtest PRIVATE -O0 -fPIE)  # as in executables
set_target_properties(ring3_gtest PROPERTIES POSITION_INDEPENDENT_CODE OFF)
target_precompile_headers(ring3_gtest PRIVATE <gtest/gtest.h> <algorithm> <map> <span> <thread>)

function(ring3_tests target)
  target_link_libraries(${target} PRIVATE ring3_flags GTest::gtest GTest::gtest_main)
  target_compile_options(${target} PRIVATE -O0)
  target_precompile_headers(${target} REUSE_FROM ring3_gtest)
  gtest_discover_tests(${target} TEST_PREFIX "${target}:" DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT 300 WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
endfunction()
