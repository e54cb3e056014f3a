# Warnings, sanitizers and link speed, the same for every target of ours.
add_library(axle_options INTERFACE)
target_compile_options(axle_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor $<$<COMPILE_LANGUAGE:CXX>:-Woverloaded-virtual>
  -Wno-missing-field-initializers -Werror=return-type -Werror=uninitialized)
if(CMAKE_CXX_COMPILER_ID STREQUAL Clang)
  # libstdc++'s own std::stable_sort uses what it calls deprecated.
  target_compile_options(axle_options INTERFACE -Wno-deprecated-declarations)
endif()
if(AXLE_SANITIZE)
  target_compile_options(axle_options INTERFACE -fsanitize=${AXLE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(axle_options INTERFACE -fsanitize=${AXLE_SANITIZE})
  target_compile_definitions(axle_options INTERFACE AXLE_SANITIZED=1)
endif()
if(AXLE_BUILD_FUZZERS)
  target_compile_options(axle_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
find_program(AXLE_MOLD mold)
if(AXLE_MOLD AND NOT AXLE_SANITIZE)
  add_link_options(-fuse-ld=mold)
endif()
