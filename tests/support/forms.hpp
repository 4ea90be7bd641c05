// SPDX-License-Identifier: MIT
// The forms of a parallel call, all given values and a function, so that one test can hold for
// each of them. Compiled once, because there are many.
#ifndef JOBLOT_TESTS_SUPPORT_FORMS_HPP
#define JOBLOT_TESTS_SUPPORT_FORMS_HPP

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/failure.hpp>
#include <joblot/parallel.hpp>

#include "watched_range.hpp"

namespace forms {

/// What a task does with its value. Each task keeps a copy of the pointer.
using Function = std::shared_ptr<std::function<int(int)> const>;

/// The numbers 0 .. size-1, which workers read side by side.
struct Numbers {
  int size;
};
using Values = std::variant<Numbers, WatchedRange>;

/// A generator of a form.
class Stream {
 public:
  Stream() = default;
  Stream(Stream const&) = delete;
  Stream& operator=(Stream const&) = delete;
  virtual ~Stream() = default;
  virtual std::optional<int> next() = 0;  // of an outcome the value; throws its error
  virtual void close() = 0;
  virtual std::size_t index() = 0;
  virtual std::optional<joblot::TaskFailure> failure() = 0;
};

struct Form {
  char const* name;
  bool keeps_going;  // a failing task is an outcome and does not end the call
  bool in_order;     // results come in order of submission; or there are none
  /// All results in order of submission. Throws the call's error, and of outcomes the first one.
  std::vector<int> (*run_function)(joblot::Parallel const&, Values const&, Function const&);
  /// Null if the form does not stream.
  std::unique_ptr<Stream> (*start_function)(joblot::Parallel const&, Values const&,
                                            Function const&);

  template <class F>
  std::vector<int> run(joblot::Parallel const& parallel, Values const& values, F const& f) const {
    return run_function(parallel, values, function(f));
  }
  template <class F>
  [[nodiscard]] std::unique_ptr<Stream> start(joblot::Parallel const& parallel,
                                              Values const& values, F const& f) const {
    return start_function(parallel, values, function(f));
  }

  static Function const& function(Function const& f) { return f; }
  template <class F>
  static Function function(F const& f) {
    return std::make_shared<std::function<int(int)> const>(f);
  }
};

inline std::ostream& operator<<(std::ostream& out, Form const& form) { return out << form.name; }

std::vector<Form> all();
std::vector<Form> failing();        // those that a failing task ends
std::vector<Form> keeping_going();  // the others
std::vector<Form> streaming();

/// For the last argument of INSTANTIATE_TEST_SUITE_P.
inline std::string name(testing::TestParamInfo<Form> const& info) { return info.param.name; }

}  // namespace forms

#endif
