// SPDX-License-Identifier: MIT
// Starts a worker while static objects are constructed. Each worker would do the same, and so on.
#include <cstdio>
#include <memory>
#include <string>

#include "../toy_worker.hpp"

namespace {

std::string refusal;  // in the worker: why it could not start one

struct Early {
  std::unique_ptr<toy::Worker> worker;
  Early() {
    try {
      worker = std::make_unique<toy::Worker>();
    } catch (joblot::Error const& error) {
      refusal = error.what();
    }
  }
};
Early early;

long was_refused(long) {
  return early.worker == nullptr && refusal.find("static objects") != refusal.npos ? 1 : 0;
}
long plus_one(long x) { return x + 1; }
long can_start(long x) { return toy::Worker().call<&plus_one>(x); }

}  // namespace

int main() {
  if (early.worker == nullptr) {
    std::puts(refusal.c_str());
    return 1;
  }
  bool const refused = early.worker->call<&was_refused>(0) == 1;
  bool const later = early.worker->call<&can_start>(41) == 42;  // a worker's own worker
  early.worker.reset();
  return refused && later ? 0 : 1;
}
