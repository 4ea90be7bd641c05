# SPDX-License-Identifier: MIT
# Installs the headers, a CMake package and a pkg-config file. All of them are independent of the
# architecture and find each other by relative paths, so the installed tree can be moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_DATADIR}/cmake/joblot")
install(TARGETS joblot EXPORT joblotTargets FILE_SET HEADERS)
install(EXPORT joblotTargets NAMESPACE joblot:: DESTINATION "${package_dir}")

configure_package_config_file(cmake/joblotConfig.cmake.in joblotConfig.cmake
                              INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file(joblotConfigVersion.cmake COMPATIBILITY SameMinorVersion
                                 ARCH_INDEPENDENT)
install(FILES "${PROJECT_BINARY_DIR}/joblotConfig.cmake"
              "${PROJECT_BINARY_DIR}/joblotConfigVersion.cmake" DESTINATION "${package_dir}")

# cereal has no pkg-config file to require, so ours names its folder; pkg-config itself drops it
# where it is searched anyway, as on Debian.
get_target_property(cereal_include cereal::cereal INTERFACE_INCLUDE_DIRECTORIES)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_INCLUDEDIR
           BASE_DIRECTORY "${CMAKE_INSTALL_FULL_DATADIR}/pkgconfig"
           OUTPUT_VARIABLE pc_to_include)
configure_file(cmake/joblot.pc.in joblot.pc @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/joblot.pc" DESTINATION "${CMAKE_INSTALL_DATADIR}/pkgconfig")
