// SPDX-License-Identifier: MIT
// expect: joblot::Task is not satisfied
// expect: the arguments given to delayed(f)(arguments...) do not fit f
#include <string>

#include <joblot/joblot.hpp>

int length(std::string const& text) { return static_cast<int>(text.size()); }

#ifdef JOBLOT_TEST_CORRECTED
auto const task = joblot::delayed(length)("twelve");
#else
auto const task = joblot::delayed(length)(12);
#endif
