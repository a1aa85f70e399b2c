# ring3_add_btf(NAME HEADER [INCLUDES dir …] [DEFINES macro …])
#
# Turns a host's C header into BTF: a static library NAME that defines `extern const ring3::BtfBlob NAME_btf`,
# declared in NAME_btf.h. The raw bytes are NAME.btf in the build folder, for `bpftool btf dump file`.
# Linking NAME also gives the folder of HEADER as an include folder. Used inside the project and out of tree.
#
# clang lists what the header declares; ring3-btf-embed writes a C file that mentions all of it; clang compiles that
# for BPF; ring3-btf-embed completes the BTF (docs/btf.md) and writes it as C++.
find_program(RING3_BPF_CLANG NAMES clang-19 clang-18 clang-17 clang-16 clang-15 clang clang-14 DOC "compiler of BPF plug-ins")

function(ring3_add_btf name header)
  cmake_parse_arguments(arg "" "" "INCLUDES;DEFINES" ${ARGN})
  if(NOT RING3_BPF_CLANG)
    message(FATAL_ERROR "ring3_add_btf(${name}): no clang with a BPF target was found")
  endif()
  if(TARGET ring3-btf-embed)
    set(embed $<TARGET_FILE:ring3-btf-embed>)
    set(embed_depends ring3-btf-embed)
  else()
    set(embed ${RING3_BTF_EMBED})
    set(embed_depends ${RING3_BTF_EMBED})
  endif()
  get_filename_component(header ${header} ABSOLUTE)
  get_filename_component(header_dir ${header} DIRECTORY)

  set(flags -target bpf -DRING3_BTF -ffreestanding -Wno-everything)
  foreach(dir ${arg_INCLUDES} ${header_dir} ${RING3_INCLUDE_DIR} ${RING3_UAPI_DIR} /usr/include/${CMAKE_LIBRARY_ARCHITECTURE})
    list(APPEND flags -I${dir})
  endforeach()
  foreach(macro ${arg_DEFINES})
    list(APPEND flags -D${macro})
  endforeach()

  set(dir ${CMAKE_CURRENT_BINARY_DIR}/${name}.btf.dir)
  file(MAKE_DIRECTORY ${dir})
  # No declarations of the ABI file's own functions exist, so an empty mention list lists all types of both.
  file(CONFIGURE OUTPUT ${dir}/list.c CONTENT
"#include <ring3/host.h>
#include \"@header@\"
#ifndef __LINUX_BPF_H__
#include \"bpf_abi.h\"
#endif
" @ONLY)
  add_custom_command(
    OUTPUT ${dir}/${name}_btf.cc ${dir}/${name}_btf.h ${dir}/${name}.btf
    COMMAND ${RING3_BPF_CLANG} ${flags} -fsyntax-only -Xclang -ast-dump=json ${dir}/list.c > ${dir}/ast.json
    COMMAND ${embed} uses --header ${header} --ast ${dir}/ast.json --out ${dir}/uses.c
    COMMAND ${RING3_BPF_CLANG} ${flags} -O2 -g -MD -MF ${dir}/uses.d -MT ${dir}/${name}_btf.cc
            -c ${dir}/uses.c -o ${dir}/uses.o
    COMMAND ${embed} embed --name ${name} --header ${header} --ast ${dir}/ast.json --object ${dir}/uses.o --dir ${dir}
    COMMAND ${CMAKE_COMMAND} -E touch ${dir}/${name}_btf.cc ${dir}/${name}_btf.h ${dir}/${name}.btf
    DEPENDS ${header} ${dir}/list.c ${embed_depends}
    DEPFILE ${dir}/uses.d
    COMMENT "BTF of ${header}"
    VERBATIM)
  add_library(${name} STATIC ${dir}/${name}_btf.cc)
  target_include_directories(${name} PUBLIC ${dir} ${header_dir} PRIVATE ${arg_INCLUDES} ${RING3_INCLUDE_DIR})
  target_compile_definitions(${name} PRIVATE ${arg_DEFINES})
  set_property(TARGET ${name} PROPERTY RING3_BTF_FILE ${dir}/${name}.btf)
endfunction()
