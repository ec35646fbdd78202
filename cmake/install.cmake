# cmake --install: the four binaries, the C++ headers with their static libraries, systemd units, pages.

foreach(program IN ITEMS warmpoold warmpool warmpool-worker warmpool-launch)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()

# Manual pages and completions come from the programs' own tables, so they are asked when that is installed.
install(CODE "
  set(from \"${CMAKE_RUNTIME_OUTPUT_DIRECTORY}\")
  set(to \"${CMAKE_BINARY_DIR}/generated\")
  file(MAKE_DIRECTORY \"\${to}\")
  foreach(shell IN ITEMS bash zsh fish)
    execute_process(COMMAND \"\${from}/warmpool\" completions \${shell} OUTPUT_FILE \"\${to}/warmpool.\${shell}\"
      COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
  execute_process(COMMAND \"\${from}/warmpool\" help --man OUTPUT_FILE \"\${to}/warmpool.1\" COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND \"\${from}/warmpoold\" --man OUTPUT_FILE \"\${to}/warmpoold.8\" COMMAND_ERROR_IS_FATAL ANY)")
set(generated ${CMAKE_BINARY_DIR}/generated)
install(FILES ${generated}/warmpool.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME warmpool)
install(FILES ${generated}/warmpool.zsh DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions RENAME _warmpool)
install(FILES ${generated}/warmpool.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
install(FILES ${generated}/warmpool.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${generated}/warmpoold.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)

# A program compiles with -I<prefix>/include/warmpool and writes #include "worker/..." as we do;
# pkg-config knows the flags.
foreach(library IN ITEMS warmpool_pool warmpool_ipc warmpool_worker warmpool_client)
  get_target_property(type ${library} TYPE)
  if(type STREQUAL "STATIC_LIBRARY")
    install(TARGETS ${library} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
    # Link order: what needs comes before what is needed.
    string(PREPEND WARMPOOL_PC_LIBRARIES "-l${library} ")
  endif()
endforeach()
install(DIRECTORY pool ipc worker client DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/warmpool
  FILES_MATCHING PATTERN "*.hpp" PATTERN "plugin.h" PATTERN "stock" EXCLUDE PATTERN "cli" EXCLUDE PATTERN "examples" EXCLUDE)
configure_file(cmake/install_prefix.cmake.in ${CMAKE_BINARY_DIR}/install_prefix.cmake @ONLY)
install(SCRIPT ${CMAKE_BINARY_DIR}/install_prefix.cmake)
install(FILES ${CMAKE_BINARY_DIR}/install/warmpool.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# Not the distribution's lib/systemd below CMAKE_INSTALL_LIBDIR: systemd reads <prefix>/lib on every machine.
install(FILES ${CMAKE_BINARY_DIR}/install/warmpool.service DESTINATION lib/systemd/system)
install(FILES ${CMAKE_BINARY_DIR}/install/warmpool-user.service DESTINATION lib/systemd/user
  RENAME warmpool.service)
install(FILES packaging/warmpool.sysusers DESTINATION lib/sysusers.d RENAME warmpool.conf)
install(FILES packaging/warmpool.tmpfiles DESTINATION lib/tmpfiles.d RENAME warmpool.conf)

install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md" PATTERN "*.svg")
foreach(page IN ITEMS README.md LICENSE)
  if(EXISTS ${PROJECT_SOURCE_DIR}/${page})
    install(FILES ${page} DESTINATION ${CMAKE_INSTALL_DOCDIR})
  endif()
endforeach()
