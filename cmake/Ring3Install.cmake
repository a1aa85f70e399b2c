# cmake --install: the library, its public headers, ring3-btf, the CMake package and ring3.pc, and the command
# `ring3`. Everything finds the rest by paths relative to itself, so a prefix may be moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/ring3)

install(TARGETS ring3 EXPORT ring3-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/ring3 DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(EXPORT ring3-targets NAMESPACE ring3:: DESTINATION ${config_dir})

install(TARGETS ring3-btf-embed RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(TARGET ring3_command)
  install(TARGETS ring3_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
if(TARGET ring3_preload)
  install(TARGETS ring3_preload LIBRARY DESTINATION lib/ring3)  # ../lib/ring3 from where the command is: src/cli/run_preload.cc
endif()
include(cmake/Ring3Man.cmake)
install(PROGRAMS tools/btf_embed/ring3-btf DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES src/uapi/bpf_abi.h src/uapi/bpf_kfuncs.h DESTINATION ${CMAKE_INSTALL_DATADIR}/ring3/uapi)
install(DIRECTORY src/uapi/abi DESTINATION ${CMAKE_INSTALL_DATADIR}/ring3/uapi)

configure_package_config_file(cmake/ring3Config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/ring3Config.cmake
  INSTALL_DESTINATION ${config_dir}
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_DATADIR CMAKE_INSTALL_BINDIR)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/ring3ConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/ring3Config.cmake ${CMAKE_CURRENT_BINARY_DIR}/ring3ConfigVersion.cmake
              cmake/Ring3Btf.cmake cmake/Ring3Module.cmake
        DESTINATION ${config_dir})

file(RELATIVE_PATH RING3_PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(cmake/ring3.pc.in ${CMAKE_CURRENT_BINARY_DIR}/ring3.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/ring3.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
