# rust/grammar as one static library, compiled by cargo: gossamer_grammar_rust. All presets below build/ share cargo's own folder,
# so the crates are compiled once.
set(GOSSAMER_CARGO_LEAST 1.87)
find_program(GOSSAMER_CARGO cargo HINTS $ENV{HOME}/.cargo/bin)
set(cargo_version 0)
if(GOSSAMER_CARGO)
  execute_process(COMMAND ${GOSSAMER_CARGO} --version OUTPUT_VARIABLE cargo_says ERROR_QUIET)
  if(cargo_says MATCHES "cargo ([0-9]+\\.[0-9]+)")
    set(cargo_version ${CMAKE_MATCH_1})
  endif()
endif()
if(cargo_version VERSION_LESS ${GOSSAMER_CARGO_LEAST})
  message(FATAL_ERROR "JSON schemas and grammars need cargo ${GOSSAMER_CARGO_LEAST} or newer (found: ${cargo_version}), which Debian 12 has in the package "
    "cargo-web. -DGOSSAMER_GRAMMAR=OFF builds without it: requests with a schema are then refused.")
endif()

cmake_path(IS_PREFIX PROJECT_SOURCE_DIR ${PROJECT_BINARY_DIR} is_preset)
set(cargo_folder ${PROJECT_BINARY_DIR}/cargo)
if(is_preset)
  set(cargo_folder ${PROJECT_SOURCE_DIR}/build/cargo)
endif()
set(rust_folder ${PROJECT_SOURCE_DIR}/rust/grammar)
set(rust_library ${PROJECT_BINARY_DIR}/libgossamer_grammar_rust.a)
# Copied, because cargo leaves the time of what it need not compile as it is.
add_custom_command(OUTPUT ${rust_library}
  COMMAND ${CMAKE_COMMAND} -E env CARGO_TARGET_DIR=${cargo_folder} ${GOSSAMER_CARGO} build --quiet --release --locked --manifest-path ${rust_folder}/Cargo.toml
  COMMAND ${CMAKE_COMMAND} -E copy ${cargo_folder}/release/libgossamer_grammar.a ${rust_library}
  DEPENDS ${rust_folder}/Cargo.toml ${rust_folder}/Cargo.lock ${rust_folder}/src/lib.rs
  COMMENT "Compiling the schema engine (Rust)" VERBATIM)
add_custom_target(gossamer_grammar_rust_build DEPENDS ${rust_library})
add_library(gossamer_grammar_rust STATIC IMPORTED GLOBAL)
set_target_properties(gossamer_grammar_rust PROPERTIES IMPORTED_LOCATION ${rust_library}
  INTERFACE_LINK_LIBRARIES "Threads::Threads;${CMAKE_DL_LIBS};m"
  INTERFACE_LINK_OPTIONS "-Wl,--gc-sections")  # without what nobody calls: 1.2 MB
add_dependencies(gossamer_grammar_rust gossamer_grammar_rust_build)
