# ring3_add_module(NAME SOURCE.bpf.c [INCLUDES dir …] [DEFINES macro …] [CPU v1|v2|v3|v4]): compiles a BPF plug-in to NAME.bpf.o in the
# build folder (target NAME_bpf). Used inside the project and by hosts out of tree.
find_program(RING3_BPF_CLANG NAMES clang-19 clang-18 clang-17 clang-16 clang-15 clang clang-14 DOC "compiler of BPF plug-ins")

function(ring3_add_module name source)
  cmake_parse_arguments(arg "" "CPU" "INCLUDES;DEFINES" ${ARGN})
  if(NOT arg_CPU)
    set(arg_CPU v3)
  endif()
  if(NOT RING3_BPF_CLANG)
    message(FATAL_ERROR "ring3_add_module(${name}): no clang with a BPF target was found")
  endif()
  get_filename_component(source ${source} ABSOLUTE)
  set(includes "")
  foreach(dir ${arg_INCLUDES} ${RING3_INCLUDE_DIR} /usr/include/${CMAKE_LIBRARY_ARCHITECTURE})
    list(APPEND includes -I${dir})
  endforeach()
  foreach(macro ${arg_DEFINES})
    list(APPEND includes -D${macro})
  endforeach()
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o)
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${RING3_BPF_CLANG} -target bpf -mcpu=${arg_CPU} -O2 -g -Wall -Werror ${includes}
            -MD -MF ${object}.d -c ${source} -o ${object}
    DEPENDS ${source}
    DEPFILE ${object}.d
    COMMENT "BPF ${name}.bpf.o"
    VERBATIM)
  add_custom_target(${name}_bpf ALL DEPENDS ${object})
  set_property(TARGET ${name}_bpf PROPERTY RING3_OBJECT ${object})
endfunction()
