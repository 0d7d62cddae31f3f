# For scripts/soak.
add_executable(quoin_soak soak/soak.c soak/model.c soak/work.c soak/own.c soak/read.c soak/judge.c)
target_link_libraries(quoin_soak PRIVATE quoin_flags quoin_static Threads::Threads m)
target_include_directories(quoin_soak PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
