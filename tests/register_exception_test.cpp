// SPDX-License-Identifier: MIT
#include <cstddef>
#include <exception>
#include <latch>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/error.hpp>
#include <joblot/process/exception_registry.hpp>
#include <joblot/process/remote_exception.hpp>
#include <joblot/register_exception.hpp>
#include <joblot/serialization/message.hpp>

namespace {

using joblot::register_exception;
using joblot::RemoteError;
using joblot::detail::ExceptionRegistry;

std::exception_ptr there_and_back(std::exception_ptr const& error) {
  joblot::detail::OutMessage out;
  encode_exception(out, error);
  joblot::detail::InMessage in;
  in.bytes = out.bytes;
  return joblot::detail::decode_exception(in, 123, 17);
}

/// The text of an E that comes back as exactly an E.
template <class E>
std::string text_of_rebuilt(E const& original) {
  std::string text = "another type";
  try {
    std::rethrow_exception(there_and_back(std::make_exception_ptr(original)));
  } catch (E const& rebuilt) {
    if (typeid(rebuilt) == typeid(E)) text = rebuilt.what();
  } catch (...) {
  }
  return text;
}

struct NoBread : std::out_of_range {
  using std::out_of_range::out_of_range;
};
struct NoRye : NoBread {
  using NoBread::NoBread;
};
struct NotRegistered : std::out_of_range {
  using std::out_of_range::out_of_range;
};
struct OfOurs : joblot::Error {
  using joblot::Error::Error;
};

/// What has a text of its own.
class Shouted : public std::exception {
 public:
  explicit Shouted(std::string text) : text_(std::move(text)) {}
  [[nodiscard]] char const* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};
struct NoOven : std::exception {
  [[nodiscard]] char const* what() const noexcept override { return "no oven"; }
};
struct Final final : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct Fire {};

/// Nests what is handled while it is made, as `std::throw_with_nested` cannot wrap it again.
struct Nesting : std::runtime_error, std::nested_exception {
  using std::runtime_error::runtime_error;
};

/// Says more than it is told.
struct Missing : std::runtime_error {
  explicit Missing(std::string const& what) : std::runtime_error("missing: " + what) {}
};

/// The same, with a text of its own.
class Loud : public std::exception {
 public:
  explicit Loud(std::string const& text) : text_(text + '!') {}
  [[nodiscard]] char const* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

/// Has functions for cereal, which do not know what the base class says.
struct Burnt : std::runtime_error {
  Burnt() : std::runtime_error("burnt") {}
  Burnt(std::string const& what, std::vector<int> when)
      : std::runtime_error("burnt " + what), minutes(std::move(when)) {}
  template <class Archive>
  void serialize(Archive& archive) {
    archive(minutes);
  }
  std::vector<int> minutes;
};

struct Report {
  int code = 0;
  std::vector<double> samples;
};
enum class Code { green, red };

/// As `main` does: worker processes never run it.
[[maybe_unused]] void never_called() {
  register_exception<NoBread>();
  register_exception<OfOurs>();
  register_exception<Shouted>();
  register_exception<NoOven>();
  register_exception<Final>();
  register_exception<Fire>();
  register_exception<Nesting>();
  register_exception<Missing>();
  register_exception<Loud>();
  register_exception<Burnt>();
  register_exception<Report>();
  register_exception<Code>();
}

TEST(RegisterException, IsKnownWithoutRunningTheCall) {
  EXPECT_NE(ExceptionRegistry::find(typeid(NoBread)), nullptr);
  EXPECT_EQ(text_of_rebuilt(NoBread("sold out")), "sold out");
}

TEST(RegisterException, RebuildsFromTheText) {
  EXPECT_EQ(text_of_rebuilt(OfOurs("sold out")), "sold out");
  EXPECT_EQ(text_of_rebuilt(Shouted("sold out")), "sold out");
  EXPECT_EQ(text_of_rebuilt(Final("sold out")), "sold out");
}

TEST(RegisterException, RebuildsWhatHasNoState) {
  EXPECT_EQ(text_of_rebuilt(NoOven()), "no oven");
  EXPECT_THROW(std::rethrow_exception(there_and_back(std::make_exception_ptr(Fire()))), Fire);
}

TEST(RegisterException, LeavesOtherTypesAlone) {
  EXPECT_EQ(text_of_rebuilt(NotRegistered("sold out")), "another type");
  EXPECT_EQ(text_of_rebuilt(NoRye("sold out")), "another type");  // not sliced to NoBread
  EXPECT_THROW(std::rethrow_exception(there_and_back(std::make_exception_ptr(NoRye("sold out")))),
               RemoteError);
}

TEST(RegisterException, DoesNotSayTwiceWhatAConstructorAdds) {
  EXPECT_EQ(text_of_rebuilt(Missing("flour")), "missing: flour");
  // Where the text is a member of its own nothing can be done about it.
  EXPECT_EQ(text_of_rebuilt(Loud("fire")), "another type");
  EXPECT_THROW(std::rethrow_exception(there_and_back(std::make_exception_ptr(Loud("fire")))),
               RemoteError);
}

TEST(RegisterException, RebuildsWhatCerealKnows) {
  try {
    std::rethrow_exception(there_and_back(std::make_exception_ptr(Burnt("bread", {1, 2, 3}))));
  } catch (Burnt const& rebuilt) {
    EXPECT_STREQ(rebuilt.what(), "burnt bread");
    EXPECT_EQ(rebuilt.minutes, (std::vector<int>{1, 2, 3}));
  }
}

TEST(RegisterException, RebuildsAggregatesWithLargeMembers) {
  try {
    std::rethrow_exception(
        there_and_back(std::make_exception_ptr(Report{7, std::vector<double>(100'000, 0.5)})));
  } catch (Report const& rebuilt) {
    EXPECT_EQ(rebuilt.code, 7);
    EXPECT_EQ(rebuilt.samples, std::vector<double>(100'000, 0.5));
  }
  EXPECT_THROW(std::rethrow_exception(there_and_back(std::make_exception_ptr(Code::red))), Code);
}

template <class E>
std::string nested_in_rebuilt() {
  std::exception_ptr original;
  try {
    try {
      throw NoBread("flour");
    } catch (...) {
      std::throw_with_nested(E("sold out"));
    }
  } catch (...) {
    original = std::current_exception();
  }
  try {
    std::rethrow_exception(there_and_back(original));
  } catch (E const& rebuilt) {
    EXPECT_STREQ(rebuilt.what(), "sold out");
    try {
      std::rethrow_if_nested(rebuilt);
    } catch (NoBread const& nested) {
      return nested.what();
    }
  }
  return "nothing";
}

TEST(RegisterException, KeepsWhatIsNested) {
  EXPECT_EQ(nested_in_rebuilt<OfOurs>(), "flour");
  EXPECT_EQ(nested_in_rebuilt<Nesting>(), "flour");
}

TEST(RegisterException, MayBeCalledAgain) {
  auto const* const entry = ExceptionRegistry::find(typeid(NoBread));
  register_exception<NoBread>();
  EXPECT_EQ(ExceptionRegistry::find(typeid(NoBread)), entry);
}

template <int N>
struct Numbered {};

TEST(ExceptionRegistry, TakesTypesFromManyThreads) {
  constexpr int types = 50;
  auto const add_all = []<int... N>(std::integer_sequence<int, N...>) {
    // Not by register_exception: that has happened before main.
    (ExceptionRegistry::add(
         joblot::detail::kind_of<Numbered<N>,
                                 joblot::detail::RegisteredExceptionCodec<Numbered<N>>>()),
     ...);
    return ((ExceptionRegistry::find(typeid(Numbered<N>)) != nullptr) && ...);
  };
  std::vector<std::thread> threads;
  std::latch start(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      start.arrive_and_wait();
      EXPECT_TRUE(add_all(std::make_integer_sequence<int, types>()));
    });
  }
  for (auto& thread : threads) thread.join();
  // None of them twice.
  EXPECT_EQ(ExceptionRegistry::namesakes_before(*ExceptionRegistry::find(typeid(Numbered<7>))), 0U);
}

}  // namespace
