# What the wheel holds beside the Python files: axle/_core, libaxle, axle-worker, the programs that convert models, the command line
# and the engine plugins. Each is found relative to the file that looks for it: $ORIGIN in libraries, the folder of libaxle for plugins.
# pyproject.toml builds the one target axle_wheel: what is installed is built. In any other build `cmake --install BUILD --component
# python --prefix FOLDER` lays out the same (python/tests/test_installed.py); a full installation has nothing of it.
set(axle_component COMPONENT python EXCLUDE_FROM_ALL)
add_custom_target(axle_wheel)
function(axle_in_wheel TARGET)
  add_dependencies(axle_wheel ${TARGET})
  install(TARGETS ${TARGET} ${ARGN} ${axle_component})
endfunction()

add_dependencies(axle_wheel axle_python_stub)
axle_in_wheel(axle_python LIBRARY DESTINATION axle)
install(FILES ${packages}/axle/_core.pyi DESTINATION axle ${axle_component})

add_dependencies(axle_wheel axle)
install(TARGETS axle LIBRARY DESTINATION axle ${axle_component} NAMELINK_SKIP)

# Beside the library, which starts it.
axle_in_wheel(axle_worker RUNTIME DESTINATION axle)
foreach(script convert export)
  install(FILES ${PROJECT_SOURCE_DIR}/src/runtime/variants/axle_${script}.py DESTINATION axle RENAME axle-${script}.py ${axle_component})
endforeach()

axle_in_wheel(axle_cli RUNTIME DESTINATION axle/bin)

file(GLOB lists ${PROJECT_SOURCE_DIR}/requirements/engines/*.txt)
install(FILES ${lists} DESTINATION axle/engine-packages ${axle_component})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/descriptions/ DESTINATION axle/descriptions ${axle_component} FILES_MATCHING PATTERN "*.toml")

foreach(engine onnxruntime openvino qnn described pim)
  if(TARGET axle_engine_${engine})
    axle_in_wheel(axle_engine_${engine} LIBRARY DESTINATION axle/engines)
  endif()
endforeach()

foreach(module ${modules})
  get_filename_component(folder ${module} DIRECTORY)
  install(FILES ${CMAKE_CURRENT_SOURCE_DIR}/${module} DESTINATION ${folder} ${axle_component})
endforeach()

# What only a wheel wants of targets that other installations share.
if(SKBUILD)
  # One file under its soname: a wheel cannot hold links.
  set_target_properties(axle PROPERTIES VERSION 0)
  set_target_properties(axle_cli PROPERTIES INSTALL_RPATH "$ORIGIN/..")
  install(PROGRAMS ${CMAKE_CURRENT_SOURCE_DIR}/scripts/axle DESTINATION ${SKBUILD_SCRIPTS_DIR} ${axle_component})
endif()
