# Flags and the functions that the folders' CMakeLists.txt use.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(quoin_flags INTERFACE)
target_compile_definitions(quoin_flags INTERFACE _GNU_SOURCE)
target_include_directories(quoin_flags INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
target_compile_options(quoin_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wundef -Wvla -Wcast-qual
  -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wimplicit-fallthrough -Wdouble-promotion
  $<$<BOOL:${QUOIN_WERROR}>:-Werror>)
if(QUOIN_SANITIZE)
  target_compile_options(quoin_flags INTERFACE
    -fsanitize=${QUOIN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
  target_link_options(quoin_flags INTERFACE -fsanitize=${QUOIN_SANITIZE})
else()
  target_compile_options(quoin_flags INTERFACE
    $<$<CONFIG:Release>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong>)
  target_link_options(quoin_flags INTERFACE $<$<CONFIG:Release>:-Wl,-z,relro,-z,now>)
endif()

# quoin_module(<folder> SOURCES a.c ... [DEPENDS modules] [PACKAGES pkg-config names]): an object
# library quoin_<folder>; libquoin is made of all of them.
function(quoin_module name)
  cmake_parse_arguments(M "" "" "SOURCES;DEPENDS;PACKAGES" ${ARGN})
  add_library(quoin_${name} OBJECT ${M_SOURCES})
  target_link_libraries(quoin_${name} PUBLIC quoin_flags Threads::Threads m)
  foreach(dep ${M_DEPENDS})
    target_link_libraries(quoin_${name} PUBLIC quoin_${dep})
  endforeach()
  foreach(package ${M_PACKAGES})
    pkg_check_modules(QUOIN_${package} REQUIRED IMPORTED_TARGET GLOBAL ${package})
    target_link_libraries(quoin_${name} PUBLIC PkgConfig::QUOIN_${package})
  endforeach()
  set_property(GLOBAL APPEND PROPERTY QUOIN_MODULES quoin_${name})
endfunction()

# All modules below and including <folder>, as objects: what a test of that module links.
function(quoin_collect out)
  set(seen)
  set(queue ${ARGN})
  while(queue)
    list(POP_FRONT queue name)
    if(NOT name IN_LIST seen)
      list(APPEND seen ${name})
      get_target_property(deps quoin_${name} LINK_LIBRARIES)
      foreach(dep ${deps})
        if(dep MATCHES "^quoin_(.*)$" AND NOT dep STREQUAL "quoin_flags")
          list(APPEND queue ${CMAKE_MATCH_1})
        endif()
      endforeach()
    endif()
  endwhile()
  set(${out} ${seen} PARENT_SCOPE)
endfunction()

# quoin_test(<ctest name> SOURCES a.c ... MODULES folders [ARGS ...]): a cmocka program.
function(quoin_test name)
  cmake_parse_arguments(T "" "TIMEOUT" "SOURCES;MODULES;ARGS" ${ARGN})
  string(REPLACE "." "_" target test_${name})
  add_executable(${target} ${T_SOURCES})
  quoin_collect(modules ${T_MODULES})
  foreach(module ${modules})
    target_link_libraries(${target} PRIVATE quoin_${module})
  endforeach()
  target_link_libraries(${target} PRIVATE quoin_flags cmocka)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  add_test(NAME ${name} COMMAND ${target} ${T_ARGS})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${T_TIMEOUT} SKIP_RETURN_CODE 77
    ENVIRONMENT "QUOIN_SHARED=${QUOIN_SHARED};QUOIN_SOURCE=${PROJECT_SOURCE_DIR};QUOIN_BUILD=${PROJECT_BINARY_DIR}")
endfunction()

# Where the W3C suites and the real data lie; without it those tests are skipped and say so.
get_filename_component(QUOIN_SHARED_DEFAULT ${PROJECT_SOURCE_DIR}/../shared ABSOLUTE)
set(QUOIN_SHARED ${QUOIN_SHARED_DEFAULT} CACHE PATH "Folder with w3c/ and data/")
