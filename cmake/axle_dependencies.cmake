# Every third-party library of the host, found once. docs/dependencies.md says what each is for.

# Outside of ./dev, a checkout that it has set up is found by the link that it left.
if(NOT AXLE_DEPS_PREFIX AND EXISTS ${PROJECT_SOURCE_DIR}/build/.prefix/.complete)
  file(REAL_PATH ${PROJECT_SOURCE_DIR}/build/.prefix AXLE_DEPS_PREFIX)
endif()
if(NOT EXISTS "${AXLE_DEPS_PREFIX}/lib/libonnx.a")
  message(FATAL_ERROR "axle needs the onnx C++ library and the engines' headers, and '${AXLE_DEPS_PREFIX}' has none. In this checkout run\n"
    "  ./dev setup run\nwhich makes them and installs the system packages, then try again; or set AXLE_DEPS_PREFIX (an environment "
    "variable for pip, -DAXLE_DEPS_PREFIX= for cmake) to a prefix that another checkout's ./dev setup has made: its build/.prefix.")
endif()
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(Protobuf REQUIRED)
find_path(AXLE_TOMLPLUSPLUS_INCLUDE toml++/toml.h REQUIRED)
find_path(AXLE_CLI11_INCLUDE CLI/CLI.hpp REQUIRED)

add_library(axle_tomlplusplus INTERFACE)
target_include_directories(axle_tomlplusplus SYSTEM INTERFACE ${AXLE_TOMLPLUSPLUS_INCLUDE})
target_compile_definitions(axle_tomlplusplus INTERFACE TOML_EXCEPTIONS=0)
add_library(axle_cli11 INTERFACE)
target_include_directories(axle_cli11 SYSTEM INTERFACE ${AXLE_CLI11_INCLUDE})

# The onnx C++ library: static and hidden, so that it cannot meet another copy in the process.
if(AXLE_DEPS_PREFIX AND EXISTS ${AXLE_DEPS_PREFIX}/lib/libonnx.a)
  add_library(axle_onnx INTERFACE)
  target_include_directories(axle_onnx SYSTEM INTERFACE ${AXLE_DEPS_PREFIX}/include ${Protobuf_INCLUDE_DIRS})
  target_compile_definitions(axle_onnx INTERFACE ONNX_ML=1 ONNX_NAMESPACE=onnx)
  target_link_libraries(axle_onnx INTERFACE
    ${AXLE_DEPS_PREFIX}/lib/libonnx.a ${AXLE_DEPS_PREFIX}/lib/libonnx_proto.a protobuf::libprotobuf)
endif()

if(AXLE_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()
