# axle_front_door(NAME SOURCES file...): libaxle_NAME.so of this folder, which sees only include/, like any program that uses axle,
# and exports what cmake/libaxle_NAME.exports lists.
function(axle_front_door NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES" ${ARGN})
  set(target axle_${NAME})
  set(exports ${PROJECT_SOURCE_DIR}/cmake/libaxle_${NAME}.exports)
  add_library(${target} SHARED ${ARG_SOURCES})
  target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE axle_options PUBLIC axle)
  target_link_options(${target} PRIVATE -Wl,--version-script=${exports})
  if(NOT AXLE_SANITIZE)  # clang's sanitizer runtime is in the program
    target_link_options(${target} PRIVATE -Wl,--no-undefined)
  endif()
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${exports})
  set_target_properties(${target} PROPERTIES SOVERSION 0 VERSION ${PROJECT_VERSION} INSTALL_RPATH "$ORIGIN"
    BUILD_WITH_INSTALL_RPATH ON LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
  add_library(axle::${NAME} ALIAS ${target})
endfunction()
