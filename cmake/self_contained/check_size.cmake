# cmake -DFILE=program -DMOST_BYTES=n -P check_size.cmake: fails where the file is larger.
file(SIZE ${FILE} bytes)
if(bytes GREATER ${MOST_BYTES})
  message(FATAL_ERROR "${FILE} has ${bytes} bytes; a self-contained program is to have at most ${MOST_BYTES}: see what grew with size -A")
endif()
message(STATUS "${bytes} bytes, at most ${MOST_BYTES}")
