# cmake --install: binaries, C++ headers with their static libraries, systemd units, pages.

foreach(program IN ITEMS warmpoold warmpool)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()
