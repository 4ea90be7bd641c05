// SPDX-License-Identifier: MIT
// expect: double
#include <joblot/joblot.hpp>

#ifdef JOBLOT_TEST_CORRECTED
joblot::Options const options{.n_jobs = 2};
#else
joblot::Options const options{.n_jobs = 2.5};
#endif
