# Manual pages for man(1), made of docs/man where go-md2man is installed.
find_program(GO_MD2MAN go-md2man)
if(NOT GO_MD2MAN)
  message(STATUS "no go-md2man: manual pages are not installed")
  return()
endif()

file(GLOB pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/man/*.md)
set(made)
foreach(page ${pages})
  file(STRINGS ${page} title LIMIT_COUNT 1)
  if(NOT title MATCHES "^# [a-z0-9-]+\\(([1-8])\\)")
    message(FATAL_ERROR "${page}: the first line names no section: ${title}")
  endif()
  set(section ${CMAKE_MATCH_1})
  cmake_path(GET page STEM name)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/man/man${section}/${name}.${section})
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}/man/man${section}
    COMMAND ${CMAKE_SOURCE_DIR}/tools/man_page ${page} > ${out}
    DEPENDS ${page} ${CMAKE_SOURCE_DIR}/tools/man_page VERBATIM)
  list(APPEND made ${out})
  install(FILES ${out} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
add_custom_target(ring3_man ALL DEPENDS ${made})
