// SPDX-License-Identifier: MIT
// The order of the options is part of the interface: a program that keeps it goes on compiling.
// expect: order
#include <joblot/joblot.hpp>

#ifdef JOBLOT_TEST_CORRECTED
joblot::Options const options{.n_jobs = 2, .verbose = 5, .batch_size = 10};
#else
joblot::Options const options{.verbose = 5, .n_jobs = 2, .batch_size = 10};
#endif
