# Installation: headers, libaxle, the command line, the CMake package `axle` and pkg-config. Plugins install themselves (axle_engine).
# Everything is relocatable: paths are found relative to the files that name them.
include(CMakePackageConfigHelpers)
set(axle_package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/axle)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(DIRECTORY ${PROJECT_SOURCE_DIR}/descriptions/ DESTINATION ${CMAKE_INSTALL_DATADIR}/axle/descriptions FILES_MATCHING PATTERN "*.toml")
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# What an engine plugin sees: the ABI and the kit, no library.
add_library(axle_engine_kit INTERFACE)
target_include_directories(axle_engine_kit INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
set_target_properties(axle_engine_kit PROPERTIES EXPORT_NAME engine_kit)
install(TARGETS axle_engine_kit EXPORT axle_targets)

# The build tree is laid out as the installed one. A path that installing replaces ends in an empty element: the working directory.
set_target_properties(axle PROPERTIES INSTALL_RPATH "$ORIGIN" BUILD_WITH_INSTALL_RPATH ON)
target_compile_features(axle INTERFACE cxx_std_20)
install(TARGETS axle EXPORT axle_targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET axle_ai_vmm)
  set_target_properties(axle_ai_vmm PROPERTIES EXPORT_NAME ai_vmm)
  install(TARGETS axle_ai_vmm EXPORT axle_targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
if(TARGET axle_rm_abstract)
  set_target_properties(axle_rm_abstract PROPERTIES EXPORT_NAME rm_abstract)
  install(TARGETS axle_rm_abstract EXPORT axle_targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
if(TARGET axle_cli)
  install(TARGETS axle_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

install(EXPORT axle_targets NAMESPACE axle:: DESTINATION ${axle_package_folder} FILE axleTargets.cmake)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/axleConfig.cmake.in ${PROJECT_BINARY_DIR}/axleConfig.cmake
  INSTALL_DESTINATION ${axle_package_folder})
# Before 1.0 a minor version may break.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/axleConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/axleConfig.cmake ${PROJECT_BINARY_DIR}/axleConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/axle_engine.cmake DESTINATION ${axle_package_folder})

file(RELATIVE_PATH axle_prefix_from_pc /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${PROJECT_SOURCE_DIR}/cmake/axle.pc.in ${PROJECT_BINARY_DIR}/axle.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/axle.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# A file of its own for each front door: pkg-config --cflags --libs axle_rm_abstract
function(axle_front_door_pc front_door front_door_description)
  if(NOT TARGET ${front_door})
    return()
  endif()
  configure_file(${PROJECT_SOURCE_DIR}/cmake/axle_front_door.pc.in ${PROJECT_BINARY_DIR}/${front_door}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${front_door}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()
axle_front_door_pc(axle_ai_vmm "Front door of axle that deploys models")
axle_front_door_pc(axle_rm_abstract "Front door of axle for resources, builds and plugins")
