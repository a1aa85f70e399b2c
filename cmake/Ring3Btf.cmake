# ring3_add_btf(NAME HEADER [INCLUDES dir …] [DEFINES macro …])
#
# Turns a host's C header into BTF: a static library NAME that defines `extern const ring3::BtfBlob NAME_btf`,
# declared in NAME_btf.h. The raw bytes are NAME.btf in the build folder, for `bpftool btf dump file`.
# Linking NAME also gives the folder of HEADER as an include folder. Used inside the project and out of tree.
# The steps are those of the program ring3-btf (docs/btf.md).
find_program(RING3_BPF_CLANG NAMES clang-19 clang-18 clang-17 clang-16 clang-15 clang clang-14 DOC "compiler of BPF plug-ins")

function(ring3_add_btf name header)
  cmake_parse_arguments(arg "" "" "INCLUDES;DEFINES" ${ARGN})
  if(NOT RING3_BPF_CLANG)
    message(FATAL_ERROR "ring3_add_btf(${name}): no clang with a BPF target was found")
  endif()
  if(TARGET ring3-btf-embed)
    set(embed $<TARGET_FILE:ring3-btf-embed>)
    set(depends ring3-btf-embed)
  else()
    set(embed ${RING3_BTF_EMBED})
    set(depends ${RING3_BTF_EMBED})
  endif()
  get_filename_component(header ${header} ABSOLUTE)
  get_filename_component(header_dir ${header} DIRECTORY)
  set(flags "")
  foreach(include ${arg_INCLUDES})
    get_filename_component(include ${include} ABSOLUTE)
    list(APPEND flags -I${include})
  endforeach()
  foreach(macro ${arg_DEFINES})
    list(APPEND flags -D${macro})
  endforeach()

  set(dir ${CMAKE_CURRENT_BINARY_DIR}/${name}.btf.dir)
  add_custom_command(
    OUTPUT ${dir}/${name}_btf.cc ${dir}/${name}_btf.h ${dir}/${name}.btf
    COMMAND ${CMAKE_COMMAND} -E env RING3_BPF_CLANG=${RING3_BPF_CLANG} RING3_BTF_EMBED=${embed}
            RING3_INCLUDE_DIR=${RING3_INCLUDE_DIR} RING3_UAPI_DIR=${RING3_UAPI_DIR}
            ${RING3_BTF_PROGRAM} ${name} ${header} ${dir} ${flags}
    COMMAND ${CMAKE_COMMAND} -E touch ${dir}/${name}_btf.cc ${dir}/${name}_btf.h ${dir}/${name}.btf
    DEPENDS ${header} ${RING3_BTF_PROGRAM} ${depends}
    DEPFILE ${dir}/${name}.uses.d
    COMMENT "BTF of ${header}"
    VERBATIM)
  add_library(${name} STATIC ${dir}/${name}_btf.cc)
  target_include_directories(${name} PUBLIC ${dir} ${header_dir} PRIVATE ${arg_INCLUDES} ${RING3_INCLUDE_DIR})
  target_compile_definitions(${name} PRIVATE ${arg_DEFINES})
  target_compile_features(${name} PRIVATE cxx_std_20)
  set_property(TARGET ${name} PROPERTY RING3_BTF_FILE ${dir}/${name}.btf)
endfunction()
