# Language, warnings, sanitizers and the libraries of Debian 12 that rooms name.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

option(RING3_WERROR "warnings are errors" ON)
set(RING3_SANITIZE "" CACHE STRING "address;undefined, thread, or empty")

add_library(ring3_flags INTERFACE)
target_compile_options(ring3_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-fno-rtti -Wall -Wextra -Wpedantic -Wconversion -Wshadow>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:Clang>>:-Wthread-safety -Wno-missing-field-initializers -Wno-gnu-statement-expression>
  # g++ 12 sees overlaps in "text" + std::string that are not there (its bug 105651).
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-Wno-missing-field-initializers -Wno-restrict>)
if(RING3_WERROR)
  target_compile_options(ring3_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
if(RING3_SANITIZE)
  string(REPLACE ";" "," sanitizers "${RING3_SANITIZE}")
  add_compile_options(-fsanitize=${sanitizers} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${sanitizers})
  if("undefined" IN_LIST RING3_SANITIZE)
    add_compile_options(-fno-sanitize-recover=undefined)
    # gtest and asmjit are built without RTTI knowledge of ours
    add_compile_options(-fno-sanitize=vptr)
  endif()
endif()

option(RING3_FUZZ "fuzz targets run under libFuzzer; everything is instrumented for it" OFF)
if(RING3_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()

find_program(RING3_LINKER NAMES mold ld.lld)
if(RING3_LINKER)
  get_filename_component(linker ${RING3_LINKER} NAME)
  string(REPLACE "ld.lld" "lld" linker ${linker})
  add_link_options(-fuse-ld=${linker})
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(fmt REQUIRED)
find_package(GTest REQUIRED)
pkg_check_modules(urcu REQUIRED IMPORTED_TARGET liburcu-bp)
find_library(XXHASH_LIBRARY xxhash REQUIRED)
add_library(xxhash INTERFACE IMPORTED)
target_link_libraries(xxhash INTERFACE ${XXHASH_LIBRARY})
find_library(ASMJIT_LIBRARY asmjit REQUIRED)
add_library(asmjit INTERFACE IMPORTED)
target_link_libraries(asmjit INTERFACE ${ASMJIT_LIBRARY})
