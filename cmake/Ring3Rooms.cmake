# ring3_room(NAME [LIBS …]): src/NAME as one static library, its *_test.cc as one test program.
# WITHOUT names sources (patterns) that wait for a lower room and are not built yet.
# A room without sources yet is an interface library, so the list of rooms can be complete.
set(RING3_ROOMS "" CACHE INTERNAL "")
set(RING3_LIBRARY_SOURCES "" CACHE INTERNAL "")

# Rooms of sanitized builds read the standard library precompiled, which makes them a third faster to build; the others see that every
# file includes what it uses.
if(RING3_SANITIZE)
  add_library(ring3_std STATIC EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/cmake/ring3_std.cc)
  target_link_libraries(ring3_std PRIVATE ring3_flags fmt::fmt)
  target_precompile_headers(ring3_std PRIVATE <algorithm> <array> <atomic> <cstdint> <cstring> <map> <memory> <mutex> <optional> <span>
    <string> <string_view> <utility> <vector> <fmt/format.h>)
endif()

function(ring3_room name)
  cmake_parse_arguments(arg "" "" "LIBS;WITHOUT" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  foreach(pattern ${arg_WITHOUT})
    list(FILTER sources EXCLUDE REGEX "/${name}/${pattern}$")
  endforeach()
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")

  set(lower "")
  foreach(room ${RING3_ROOMS})
    list(APPEND lower ring3_${room})
  endforeach()
  list(REVERSE lower)

  if(sources)
    add_library(ring3_${name} STATIC ${sources})
    target_include_directories(ring3_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
    target_link_libraries(ring3_${name} PRIVATE ring3_flags PUBLIC ${lower} fmt::fmt Threads::Threads ${arg_LIBS})
    if(RING3_SANITIZE)
      target_precompile_headers(ring3_${name} REUSE_FROM ring3_std)
    endif()
    set(RING3_LIBRARY_SOURCES ${RING3_LIBRARY_SOURCES} ${name} CACHE INTERNAL "")
  else()
    add_library(ring3_${name} INTERFACE)
    target_include_directories(ring3_${name} INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
    target_link_libraries(ring3_${name} INTERFACE ${lower} ${arg_LIBS})
  endif()
  set(RING3_ROOMS ${RING3_ROOMS} ${name} CACHE INTERNAL "")

  if(tests AND BUILD_TESTING)
    add_executable(${name}_test ${tests})
    target_include_directories(${name}_test PRIVATE ${CMAKE_SOURCE_DIR})  # tests/support
    target_link_libraries(${name}_test PRIVATE ring3_${name})
    ring3_tests(${name}_test)
  endif()
endfunction()

# The one library a host links: the objects of every room.
function(ring3_library)
  set(objects "")
  foreach(room ${RING3_LIBRARY_SOURCES})
    list(APPEND objects $<TARGET_OBJECTS:ring3_${room}>)
  endforeach()
  add_library(ring3 STATIC ${objects})
  add_library(ring3::ring3 ALIAS ring3)
  set_target_properties(ring3 PROPERTIES LINKER_LANGUAGE CXX)
  target_include_directories(ring3 PUBLIC
    $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
  target_link_libraries(ring3 PUBLIC PkgConfig::urcu asmjit xxhash OpenSSL::Crypto fmt::fmt Threads::Threads)
endfunction()
