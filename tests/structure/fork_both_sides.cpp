// SPDX-License-Identifier: MIT
// fork copies the caller's thread only: a child must not wait for pool threads it does not have,
// nor the parent lose its own.
#include "in_child.hpp"

int main() {
  in_child(use);  // before the parent has a thread
  use();
  in_child([] {  // after
    use();
    in_child(use);
    use();
  });
  in_child([] {});  // a child may leave the library alone
  use();
}
