# libaxle.so: every module linked into one library that exports only what include/axle marks AXLE_API.
get_property(modules GLOBAL PROPERTY AXLE_MODULES)
add_custom_target(axle_revision COMMAND ${CMAKE_COMMAND} -DSOURCE=${PROJECT_SOURCE_DIR}
  -DOUTPUT=${PROJECT_BINARY_DIR}/generated/axle_revision.h -P ${PROJECT_SOURCE_DIR}/cmake/axle_revision.cmake
  BYPRODUCTS ${PROJECT_BINARY_DIR}/generated/axle_revision.h)
add_library(axle SHARED ${PROJECT_SOURCE_DIR}/src/version.cc)
add_dependencies(axle axle_revision)
target_include_directories(axle PRIVATE ${PROJECT_BINARY_DIR}/generated ${PROJECT_SOURCE_DIR}/src
  PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_definitions(axle PRIVATE AXLE_VERSION="${PROJECT_VERSION}" AXLE_BUILD_TYPE="${CMAKE_BUILD_TYPE}"
  AXLE_COMPILER="${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}" AXLE_SANITIZERS="${AXLE_SANITIZE}")
# The objects themselves, so that nothing is left out; the archives bring only what the modules depend on.
list(TRANSFORM modules REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE objects)
target_sources(axle PRIVATE ${objects})
target_link_libraries(axle PRIVATE axle_options ${modules})
# Third-party static libraries (onnx) and instances of others' templates stay hidden too.
set(axle_exports ${PROJECT_SOURCE_DIR}/cmake/libaxle.exports)
target_link_options(axle PRIVATE -Wl,--version-script=${axle_exports})
if(NOT AXLE_SANITIZE)  # clang's sanitizer runtime is in the program
  target_link_options(axle PRIVATE -Wl,--no-undefined)
endif()
set_property(TARGET axle APPEND PROPERTY LINK_DEPENDS ${axle_exports})
set_target_properties(axle PROPERTIES SOVERSION 0 VERSION ${PROJECT_VERSION}
  LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
add_dependencies(axle axle_worker)  # which it starts
add_library(axle::axle ALIAS axle)
