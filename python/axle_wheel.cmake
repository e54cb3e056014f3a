# What the wheel holds beside the Python files: axle/_core, libaxle, axle-worker, the programs that convert models, the command line
# and the engine plugins. Each is found relative to the file that looks for it: $ORIGIN in libraries, the folder of libaxle for plugins.
# pyproject.toml builds the one target axle_wheel: what is installed is built.
add_custom_target(axle_wheel)
function(axle_in_wheel TARGET)
  add_dependencies(axle_wheel ${TARGET})
  install(TARGETS ${TARGET} ${ARGN} COMPONENT python)
endfunction()

add_dependencies(axle_wheel axle_python_stub)
axle_in_wheel(axle_python LIBRARY DESTINATION axle)
install(FILES ${packages}/axle/_core.pyi DESTINATION axle COMPONENT python)

# One file under its soname: a wheel cannot hold links.
set_target_properties(axle PROPERTIES VERSION 0)
add_dependencies(axle_wheel axle)
install(TARGETS axle LIBRARY DESTINATION axle COMPONENT python NAMELINK_SKIP)

# Beside the library, which starts it.
axle_in_wheel(axle_worker RUNTIME DESTINATION axle)
foreach(script convert export)
  install(FILES ${PROJECT_SOURCE_DIR}/src/runtime/variants/axle_${script}.py DESTINATION axle RENAME axle-${script}.py COMPONENT python)
endforeach()

set_target_properties(axle_cli PROPERTIES INSTALL_RPATH "$ORIGIN/..")
axle_in_wheel(axle_cli RUNTIME DESTINATION axle/bin)

file(GLOB lists ${PROJECT_SOURCE_DIR}/requirements/engines/*.txt)
install(FILES ${lists} DESTINATION axle/engine-packages COMPONENT python)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/descriptions/ DESTINATION axle/descriptions COMPONENT python FILES_MATCHING PATTERN "*.toml")

foreach(engine onnxruntime openvino qnn described pim)
  if(TARGET axle_engine_${engine})
    axle_in_wheel(axle_engine_${engine} LIBRARY DESTINATION axle/engines)
  endif()
endforeach()

foreach(module ${modules})
  get_filename_component(folder ${module} DIRECTORY)
  install(FILES ${CMAKE_CURRENT_SOURCE_DIR}/${module} DESTINATION ${folder} COMPONENT python)
endforeach()
install(PROGRAMS ${CMAKE_CURRENT_SOURCE_DIR}/scripts/axle DESTINATION ${SKBUILD_SCRIPTS_DIR} COMPONENT python)
