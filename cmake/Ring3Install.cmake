# cmake --install: library, public headers, the host-side CMake functions, the CLI, ring3.pc.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/ring3)

install(TARGETS ring3 EXPORT ring3-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/ring3 DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(EXPORT ring3-targets NAMESPACE ring3:: DESTINATION ${config_dir})

configure_package_config_file(cmake/ring3Config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/ring3Config.cmake
  INSTALL_DESTINATION ${config_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/ring3ConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/ring3Config.cmake ${CMAKE_CURRENT_BINARY_DIR}/ring3ConfigVersion.cmake
              cmake/Ring3Btf.cmake cmake/Ring3Module.cmake
        DESTINATION ${config_dir})
install(FILES src/uapi/bpf_abi.h DESTINATION ${CMAKE_INSTALL_DATADIR}/ring3/uapi)

configure_file(cmake/ring3.pc.in ${CMAKE_CURRENT_BINARY_DIR}/ring3.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/ring3.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
