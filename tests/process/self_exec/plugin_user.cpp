// SPDX-License-Identifier: MIT
// A program that loads a library that starts workers; JOBLOT_IN_PROGRAM: it can do so, too.
#include <cstdio>
#include <string_view>

#include <dlfcn.h>

#ifdef JOBLOT_IN_PROGRAM
#include "../toy_worker.hpp"
#endif

int main(int argc, char** argv) {
  if (std::string_view(argv[0]) == "joblot-worker") {
    std::puts("main was run in a worker");
    return 99;
  }
  if (argc != 2) return 2;
  void* const plugin = ::dlopen(argv[1], RTLD_NOW);
  void* const function = plugin != nullptr ? ::dlsym(plugin, "use_workers") : nullptr;
  if (function == nullptr) {
    std::puts(::dlerror());
    return 3;
  }
  return reinterpret_cast<int (*)()>(function)();
}
