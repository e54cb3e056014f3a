# axle_engine(NAME SOURCES file... [LIBRARIES target...] [INCLUDES folder...])
#
# An engine plugin: libaxle_engine_NAME.so, which sees only engine_abi.h and engine_kit.h and exports only axle_engine_query.
# Works inside the axle tree, from an outside project with include(<checkout>/cmake/axle_engine.cmake), and from an
# installed axle (find_package(axle) includes this file). Vendor libraries are opened at run time, never linked.
set(AXLE_ENGINE_CMAKE_DIR ${CMAKE_CURRENT_LIST_DIR})

function(axle_engine NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBRARIES;INCLUDES" ${ARGN})
  if(NOT ARG_SOURCES)
    set(ARG_SOURCES ${ARG_UNPARSED_ARGUMENTS})
  endif()
  set(target axle_engine_${NAME})
  add_library(${target} MODULE ${ARG_SOURCES})
  target_compile_features(${target} PRIVATE cxx_std_20)
  set_target_properties(${target} PROPERTIES
    CXX_EXTENSIONS OFF C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    POSITION_INDEPENDENT_CODE ON PREFIX lib
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib/axle/engines)

  if(TARGET axle::engine_kit)
    target_link_libraries(${target} PRIVATE axle::engine_kit)
  else()
    # A checkout has cmake/ beside include/.
    target_include_directories(${target} PRIVATE ${AXLE_ENGINE_CMAKE_DIR}/../include)
  endif()
  target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} ${ARG_INCLUDES})
  target_link_libraries(${target} PRIVATE ${ARG_LIBRARIES} ${CMAKE_DL_LIBS})
  if(TARGET axle_options)
    target_link_libraries(${target} PRIVATE axle_options)
  endif()

  # Also hides what a static vendor archive would export.
  set(exports ${CMAKE_CURRENT_BINARY_DIR}/${target}.exports)
  file(CONFIGURE OUTPUT ${exports} CONTENT "{ global: axle_engine_query; local: *; };\n")
  target_link_options(${target} PRIVATE -Wl,--version-script=${exports})
  if(NOT AXLE_SANITIZE)
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()

  include(GNUInstallDirs)
  install(TARGETS ${target} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/axle/engines)
  set_property(GLOBAL APPEND PROPERTY AXLE_ENGINES ${target})
endfunction()
