# SPDX-License-Identifier: MIT
# cmake -DEXPECTED=<file> -P expect_output.cmake -- program [argument...]
# Fails unless the program ends with 0 and writes to stdout what the file holds, if there is one.
# Spaces at the end of a line and empty lines at the end do not count: an editor takes them away.
include("${CMAKE_CURRENT_LIST_DIR}/command_after_dashes.cmake")

execute_process(COMMAND ${command} OUTPUT_VARIABLE output RESULT_VARIABLE status)
if(NOT status STREQUAL "0")
  message(FATAL_ERROR "Ended with ${status} after writing:\n${output}")
endif()

if(NOT EXISTS "${EXPECTED}")
  return()
endif()
file(READ "${EXPECTED}" expected)
foreach(text IN ITEMS output expected)
  string(REGEX REPLACE "[ \t\r]+\n" "\n" ${text} "${${text}}\n")
  string(REGEX REPLACE "\n+$" "\n" ${text} "${${text}}")
endforeach()
if(NOT output STREQUAL expected)
  message(FATAL_ERROR "Wrote:\n${output}\nbut this was expected:\n${expected}")
endif()
