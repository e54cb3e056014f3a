# What the wheel holds beside the Python files: axle/_core, libaxle, axle-worker, the programs that convert models, the command line
# and the engine plugins. Each is found relative to the file that looks for it: $ORIGIN in libraries, the folder of libaxle for plugins.
install(TARGETS axle_python LIBRARY DESTINATION axle COMPONENT python)
install(FILES ${packages}/axle/_core.pyi DESTINATION axle COMPONENT python)

# One file under its soname: a wheel cannot hold links.
set_target_properties(axle PROPERTIES VERSION 0)
install(TARGETS axle LIBRARY DESTINATION axle COMPONENT python NAMELINK_SKIP)

# Beside the library, which starts it.
install(TARGETS axle_worker RUNTIME DESTINATION axle COMPONENT python)
foreach(script convert export)
  install(FILES ${PROJECT_SOURCE_DIR}/src/runtime/axle_${script}.py DESTINATION axle RENAME axle-${script}.py COMPONENT python)
endforeach()

set_target_properties(axle_cli PROPERTIES INSTALL_RPATH "$ORIGIN/..")
install(TARGETS axle_cli RUNTIME DESTINATION axle/bin COMPONENT python)

file(GLOB lists ${PROJECT_SOURCE_DIR}/requirements/engines/*.txt)
install(FILES ${lists} DESTINATION axle/engine-packages COMPONENT python)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/descriptions/ DESTINATION axle/descriptions COMPONENT python FILES_MATCHING PATTERN "*.toml")

foreach(engine onnxruntime openvino qnn described pim)
  if(TARGET axle_engine_${engine})
    install(TARGETS axle_engine_${engine} LIBRARY DESTINATION axle/engines COMPONENT python)
  endif()
endforeach()

foreach(module ${modules})
  get_filename_component(folder ${module} DIRECTORY)
  install(FILES ${CMAKE_CURRENT_SOURCE_DIR}/${module} DESTINATION ${folder} COMPONENT python)
endforeach()
install(PROGRAMS ${CMAKE_CURRENT_SOURCE_DIR}/scripts/axle DESTINATION ${SKBUILD_SCRIPTS_DIR} COMPONENT python)
