# SPDX-License-Identifier: MIT
# cmake -DSOURCE=<file> -P check.cmake -- compiler [option...]
include("${CMAKE_CURRENT_LIST_DIR}/../command_after_dashes.cmake")

execute_process(COMMAND ${command} -DJOBLOT_TEST_CORRECTED "${SOURCE}" RESULT_VARIABLE status
                ERROR_VARIABLE text)
if(NOT status STREQUAL "0")
  message(FATAL_ERROR "The corrected program does not compile:\n${text}")
endif()

execute_process(COMMAND ${command} "${SOURCE}" RESULT_VARIABLE status ERROR_VARIABLE text)
if(status STREQUAL "0")
  message(FATAL_ERROR "The mistake compiles.")
endif()

file(STRINGS "${SOURCE}" expectations REGEX "^// expect: ")
if(NOT expectations)
  message(FATAL_ERROR "${SOURCE} expects no text")
endif()
foreach(expectation IN LISTS expectations)
  string(REPLACE "// expect: " "" expectation "${expectation}")
  string(FIND "${text}" "${expectation}" position)
  if(position EQUAL -1)
    message(FATAL_ERROR "The compiler does not say '${expectation}' but:\n${text}")
  endif()
endforeach()
