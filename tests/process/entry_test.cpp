// SPDX-License-Identifier: MIT
#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include <joblot/error.hpp>
#include <joblot/process/entry.hpp>
#include <joblot/serialization/code_identity.hpp>

namespace {

using joblot::detail::entry_for;
using joblot::detail::identify;
using joblot::detail::resolve_entry;

int twice(int x) { return 2 * x; }
int thrice(int x) { return 3 * x; }

template <class F>
int call_empty(int x) {
  return F{}(x);
}

TEST(Entry, LeadsBackToItsFunction) {
  auto const& entry =
      resolve_entry<int(int)>(identify(&entry_for<&twice>), entry_for<&twice>.type_hash);
  EXPECT_EQ(&entry, &entry_for<&twice>);
  EXPECT_EQ(entry.run(4), 8);
}

TEST(Entry, HoldsATemplateOverALambda) {
  auto const task = [](int x) { return x - 1; };
  auto const& own = entry_for<&call_empty<decltype(task)>>;
  EXPECT_EQ(resolve_entry<int(int)>(identify(&own), own.type_hash).run(4), 3);
}

TEST(Entry, OfAnotherFunctionIsRefused) {
  EXPECT_NE(entry_for<&twice>.type_hash, entry_for<&thrice>.type_hash);
  auto const identity = identify(&entry_for<&twice>);
  EXPECT_THROW(static_cast<void>(resolve_entry<int(int)>(identity, entry_for<&thrice>.type_hash)),
               joblot::Error);
}

TEST(Entry, IsNotFoundWhereThereIsNone) {
  static constinit std::uint64_t const other[4] = {1, 2, 3, 4};
  auto const hash = entry_for<&twice>.type_hash;
  EXPECT_THROW(static_cast<void>(resolve_entry<int(int)>(identify(&other[0]), hash)),
               joblot::Error);
  auto identity = identify(&entry_for<&twice>);
  identity.offset += 1;
  try {
    static_cast<void>(resolve_entry<int(int)>(identity, hash));
    FAIL();
  } catch (joblot::Error const& error) {
    EXPECT_NE(std::string(error.what()).find("is not the function"), std::string::npos);
  }
}

}  // namespace
