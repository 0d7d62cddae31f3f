# libquoin, shared and static, from the objects of all modules; how it is installed and found.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
get_property(modules GLOBAL PROPERTY QUOIN_MODULES)

# What the modules link besides each other: pkg-config packages, and libraries by name.
set(objects)
set(packages)
set(libraries)
foreach(module ${modules})
  list(APPEND objects $<TARGET_OBJECTS:${module}>)
  get_target_property(links ${module} LINK_LIBRARIES)
  foreach(link ${links})
    if(link MATCHES "^PkgConfig::QUOIN_(.*)$")
      list(APPEND packages ${CMAKE_MATCH_1})
    elseif(NOT link MATCHES "^quoin_" AND NOT link MATCHES "^::@")
      list(APPEND libraries ${link})
    endif()
  endforeach()
endforeach()
list(REMOVE_DUPLICATES packages)
list(REMOVE_DUPLICATES libraries)
set(links ${libraries})
foreach(package ${packages})
  list(APPEND links PkgConfig::QUOIN_${package})
endforeach()

foreach(form shared static)
  string(TOUPPER ${form} upper)
  add_library(quoin_${form} ${upper} ${objects})
  target_link_libraries(quoin_${form} PRIVATE ${links})
  target_include_directories(quoin_${form} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  set_target_properties(quoin_${form} PROPERTIES OUTPUT_NAME quoin LINKER_LANGUAGE C)
  if(QUOIN_SANITIZE)
    target_link_options(quoin_${form} PUBLIC $<BUILD_INTERFACE:-fsanitize=${QUOIN_SANITIZE}>)
  endif()
endforeach()
set_target_properties(quoin_shared PROPERTIES
  EXPORT_NAME quoin VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
set_target_properties(quoin_static PROPERTIES EXPORT_NAME quoin-static)
if(CMAKE_BUILD_TYPE STREQUAL Release AND NOT QUOIN_SANITIZE)
  target_link_options(quoin_shared PRIVATE -Wl,-z,relro,-z,now)
endif()
add_library(quoin::quoin ALIAS quoin_shared)

install(TARGETS quoin_shared EXPORT quoinTargets)
install(TARGETS quoin_static EXPORT quoinStaticTargets)
install(FILES include/quoin/types.h include/quoin/quoin.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/quoin)

# The package of CMake. The static library needs its dependencies' targets; it is a component.
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/quoin)
set(QUOIN_PACKAGES ${packages})
configure_package_config_file(cmake/quoinConfig.cmake.in ${PROJECT_BINARY_DIR}/quoinConfig.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/quoinConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(EXPORT quoinTargets NAMESPACE quoin:: DESTINATION ${package_dir})
install(EXPORT quoinStaticTargets NAMESPACE quoin:: DESTINATION ${package_dir})
install(FILES ${PROJECT_BINARY_DIR}/quoinConfig.cmake ${PROJECT_BINARY_DIR}/quoinConfigVersion.cmake
  DESTINATION ${package_dir})

# The package of pkg-config, with names of libraries for what has no package.
set(QUOIN_LIBS_PRIVATE)
foreach(library ${libraries})
  if(library STREQUAL "Threads::Threads")
    string(APPEND QUOIN_LIBS_PRIVATE " -pthread")
  else()
    string(APPEND QUOIN_LIBS_PRIVATE " -l${library}")
  endif()
endforeach()
# The static library links the system's shared ones: Requires.private would ask for all that those
# need themselves (libcurl alone names ten packages that its own shared library hides).
foreach(package ${packages})
  foreach(flag ${QUOIN_${package}_LDFLAGS})
    string(APPEND QUOIN_LIBS_PRIVATE " ${flag}")
  endforeach()
endforeach()
configure_file(cmake/quoin.pc.in ${PROJECT_BINARY_DIR}/quoin.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/quoin.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
