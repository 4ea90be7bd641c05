// SPDX-License-Identifier: MIT
// The same with a main that is not ours.
#include <gtest/gtest.h>

#include "check.hpp"
#include "tables.hpp"

namespace {

long task(long x) { return x + table.at("forty") + table.at("two"); }

TEST(SelfExec, WorksWithAMainFromALibrary) { EXPECT_EQ(self_exec::check_worker<&task>(), 0); }

}  // namespace
