# GOSSAMER_SELF_CONTAINED: the program needs the C library where it runs and nothing else, and is small: for machines on which nothing
# can be installed. Debian has every library as an archive but fmt, which is compiled here, and udev, which is not needed.
option(GOSSAMER_SELF_CONTAINED "Link every library but the C library into the program" OFF)

# gossamer_archives(TARGET NAMES...): in place of the shared library of an imported target, or besides what it links, these archives.
function(gossamer_archives target)
  if(NOT GOSSAMER_SELF_CONTAINED)
    return()
  endif()
  get_target_property(kind ${target} TYPE)
  foreach(name IN LISTS ARGN)
    find_library(GOSSAMER_ARCHIVE_${name} NAMES lib${name}.a REQUIRED)
    if(kind STREQUAL "SHARED_LIBRARY")
      get_target_property(configurations ${target} IMPORTED_CONFIGURATIONS)
      foreach(configuration IN LISTS configurations)
        set_target_properties(${target} PROPERTIES IMPORTED_LOCATION_${configuration} ${GOSSAMER_ARCHIVE_${name}})
      endforeach()
    else()
      set_property(TARGET ${target} APPEND PROPERTY INTERFACE_LINK_LIBRARIES ${GOSSAMER_ARCHIVE_${name}})
    endif()
  endforeach()
endfunction()

# gossamer_limit_size(TARGET): a self-contained program of more than 16 MiB is not built.
function(gossamer_limit_size target)
  if(GOSSAMER_SELF_CONTAINED)
    add_custom_command(TARGET ${target} POST_BUILD
      COMMAND ${CMAKE_COMMAND} -DFILE=$<TARGET_FILE:${target}> -DMOST_BYTES=16777216 -P ${PROJECT_SOURCE_DIR}/cmake/self_contained/check_size.cmake)
  endif()
endfunction()

# gossamer_optimise_for_speed(TARGET): what computes, in a program that is compiled for size as a whole.
function(gossamer_optimise_for_speed target)
  if(GOSSAMER_SELF_CONTAINED AND target MATCHES "^gossamer_(kernels|model|sampling|synthetic)$")
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-O2>)
    set_target_properties(${target} PROPERTIES DISABLE_PRECOMPILE_HEADERS ON)  # which are compiled for size
  endif()
endfunction()

if(NOT GOSSAMER_SELF_CONTAINED)
  return()
endif()
set(CMAKE_FIND_LIBRARY_SUFFIXES .a .so)
set(OPENSSL_USE_STATIC_LIBS ON)
add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-ffunction-sections$<SEMICOLON>-fdata-sections>)
# At a fixed address: no table of what must be moved, 1 MB.
add_link_options(-no-pie -static-libgcc -static-libstdc++ -s LINKER:--gc-sections)
add_library(gossamer_fmt STATIC ${CMAKE_CURRENT_LIST_DIR}/self_contained/fmt.cc)
add_library(fmt::fmt ALIAS gossamer_fmt)
add_library(gossamer_no_udev STATIC ${CMAKE_CURRENT_LIST_DIR}/self_contained/no_udev.cc)
