// SPDX-License-Identifier: MIT
// Static objects of another unit.
#ifndef JOBLOT_TESTS_PROCESS_SELF_EXEC_TABLES_HPP
#define JOBLOT_TESTS_PROCESS_SELF_EXEC_TABLES_HPP

#include <map>
#include <string>

extern std::map<std::string, long> const table;
extern std::string const early;

#endif
