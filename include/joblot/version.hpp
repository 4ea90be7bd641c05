// SPDX-License-Identifier: MIT
// The version of the library, for the preprocessor and for CMake, which reads it from here.
#ifndef JOBLOT_VERSION_HPP
#define JOBLOT_VERSION_HPP

#define JOBLOT_VERSION_MAJOR 0
#define JOBLOT_VERSION_MINOR 1
#define JOBLOT_VERSION_PATCH 0

#endif
