// SPDX-License-Identifier: MIT
#include <any>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <ios>
#include <memory>
#include <new>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <typeindex>
#include <typeinfo>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/error.hpp>
#include <joblot/process/exception_kind.hpp>
#include <joblot/process/exception_registry.hpp>
#include <joblot/process/remote_exception.hpp>
#include <joblot/serialization/message.hpp>
#include <joblot/serialization/wire.hpp>

namespace {

using joblot::RemoteError;
using joblot::TerminatedWorkerError;
using joblot::TimeoutError;
using joblot::detail::BadMessage;
using joblot::detail::decode_exception;
using joblot::detail::Enclosed;
using joblot::detail::encode_exception;
using joblot::detail::ExceptionRegistry;
using joblot::detail::InMessage;
using joblot::detail::kind_of;
using joblot::detail::max_nested_exceptions;
using joblot::detail::OutMessage;

constexpr long some_pid = 123;
constexpr std::size_t some_index = 17;

std::exception_ptr decode(std::span<std::byte const> bytes) {
  InMessage in;
  in.bytes = bytes;
  auto error = decode_exception(in, some_pid, some_index);
  EXPECT_TRUE(in.bytes.empty());
  return error;
}

std::vector<std::byte> encode(std::exception_ptr const& error) {
  OutMessage out;
  encode_exception(out, error);
  EXPECT_TRUE(
      out.blocks.empty());  // they would lie in an exception that is gone when they are sent
  return out.bytes;
}

std::exception_ptr there_and_back(std::exception_ptr const& error) { return decode(encode(error)); }

/// The exception that `function` throws.
template <class F>
std::exception_ptr thrown_by(F function) {
  std::exception_ptr error;
  try {
    function();
  } catch (...) {
    error = std::current_exception();
  }
  return error;
}

/// Calls `use` with the exception, which has to be an E or derived from it.
template <class E, class Use>
void with(std::exception_ptr const& error, Use use) {
  ASSERT_NE(error, nullptr);
  try {
    std::rethrow_exception(error);
  } catch (E const& exception) {
    use(exception);
    return;
  } catch (...) {
  }
  auto const thrown = joblot::detail::examine(error);
  ADD_FAILURE() << thrown.type->name() << ": " << thrown.text << " is not a " << typeid(E).name();
}

/// What comes back has to have the type and the text of what was sent.
template <class E>
void expect_rebuilt(E const& original) {
  with<E>(there_and_back(std::make_exception_ptr(original)), [&](E const& rebuilt) {
    EXPECT_EQ(typeid(rebuilt), typeid(E)) << typeid(rebuilt).name();
    EXPECT_STREQ(rebuilt.what(), original.what());
  });
}

void expect_remote(std::exception_ptr const& error, std::string_view type_name,
                   std::string_view text) {
  with<RemoteError>(there_and_back(error), [&](RemoteError const& remote) {
    EXPECT_EQ(remote.type_name(), type_name);
    EXPECT_EQ(remote.text(), text);
    EXPECT_EQ(remote.pid(), some_pid);
    EXPECT_EQ(remote.index(), some_index);
  });
}

template <class E>
class EachWithText : public testing::Test {};
using WithText =
    testing::Types<std::logic_error, std::invalid_argument, std::domain_error, std::length_error,
                   std::out_of_range, std::runtime_error, std::range_error, std::overflow_error,
                   std::underflow_error, joblot::Error, joblot::InvalidOption,
                   joblot::CancelledError, joblot::NotShippableError, joblot::WorkerInitError>;
TYPED_TEST_SUITE(EachWithText, WithText);

TYPED_TEST(EachWithText, IsRebuilt) {
  expect_rebuilt(TypeParam("no bread"));
  expect_rebuilt(TypeParam(""));
  expect_rebuilt(TypeParam(std::string(100'000, 'x')));
}

template <class E>
class EachWithoutText : public testing::Test {};
using WithoutText = testing::Types<std::exception, std::bad_alloc, std::bad_array_new_length,
                                   std::bad_cast, std::bad_any_cast, std::bad_typeid,
                                   std::bad_function_call, std::bad_optional_access,
                                   std::bad_variant_access, std::bad_weak_ptr, std::bad_exception>;
TYPED_TEST_SUITE(EachWithoutText, WithoutText);

TYPED_TEST(EachWithoutText, IsRebuilt) { expect_rebuilt(TypeParam()); }

TEST(RemoteException, KeepsTheCodeOfASystemError) {
  for (auto const* category : {&std::generic_category(), &std::system_category(),
                               &std::iostream_category(), &std::future_category()}) {
    for (int const value : {0, 1, ENOENT, -1, 4711}) {
      std::error_code const code(value, *category);
      for (auto const& original :
           {std::system_error(code), std::system_error(code, ""), std::system_error(code, "open"),
            std::system_error(code, "open: " + code.message())}) {
        expect_rebuilt(original);
        with<std::system_error>(
            there_and_back(std::make_exception_ptr(original)),
            [&](std::system_error const& rebuilt) { EXPECT_EQ(rebuilt.code(), code); });
      }
    }
  }
}

class OwnCategory : public std::error_category {
 public:
  [[nodiscard]] char const* name() const noexcept override { return "generic"; }
  [[nodiscard]] std::string message(int /*value*/) const override { return "it is complicated"; }
};

TEST(RemoteException, DoesNotGuessTheCategoryOfASystemError) {
  OwnCategory const category;
  expect_remote(std::make_exception_ptr(std::system_error(1, category, "load")),
                "std::system_error", "load: it is complicated");
}

TEST(RemoteException, KeepsTheCodeOfAStreamsError) {
  std::ios_base::failure const original("read");
  expect_rebuilt(original);
  with<std::ios_base::failure>(
      there_and_back(std::make_exception_ptr(original)),
      [&](auto const& rebuilt) { EXPECT_EQ(rebuilt.code(), original.code()); });
  expect_rebuilt(std::ios_base::failure("", std::make_error_code(std::errc::io_error)));
}

TEST(RemoteException, RebuildsWhatStreamsReallyThrow) {
  auto const error = thrown_by([] {
    std::ifstream file;
    file.exceptions(std::ios::failbit);
    file.open("/does/not/exist");
  });
  with<std::ios_base::failure>(error, [&](auto const& original) {
    with<std::ios_base::failure>(there_and_back(error), [&](auto const& rebuilt) {
      EXPECT_STREQ(rebuilt.what(), original.what());
      EXPECT_EQ(rebuilt.code(), original.code());
    });
  });
}

TEST(RemoteException, KeepsPathsAndCodeOfAFilesystemError) {
  using std::filesystem::filesystem_error;
  auto const code = std::make_error_code(std::errc::no_such_file_or_directory);
  for (auto const& original :
       {filesystem_error("copy", code), filesystem_error("copy", "a", code),
        filesystem_error("copy", "", code), filesystem_error("copy", "a", "b", code),
        filesystem_error("copy", "a", "", code), filesystem_error("", "", "b", code)}) {
    expect_rebuilt(original);
    with<filesystem_error>(there_and_back(std::make_exception_ptr(original)),
                           [&](filesystem_error const& rebuilt) {
                             EXPECT_EQ(rebuilt.code(), code);
                             EXPECT_EQ(rebuilt.path1(), original.path1());
                             EXPECT_EQ(rebuilt.path2(), original.path2());
                           });
  }
}

TEST(RemoteException, KeepsTheCodeOfAFutureError) {
  std::future_error const original(std::future_errc::broken_promise);
  expect_rebuilt(original);
  with<std::future_error>(there_and_back(std::make_exception_ptr(original)),
                          [&](auto const& rebuilt) { EXPECT_EQ(rebuilt.code(), original.code()); });
}

TEST(RemoteException, KeepsTheFieldsOfTheLibrarysErrors) {
  TimeoutError const late("task 3 ran longer than timeout = 2 s", 3);
  expect_rebuilt(late);
  with<TimeoutError>(there_and_back(std::make_exception_ptr(late)),
                     [](TimeoutError const& rebuilt) { EXPECT_EQ(rebuilt.index(), 3U); });

  TerminatedWorkerError const killed(55, 11, std::nullopt, 4);
  expect_rebuilt(killed);
  with<TerminatedWorkerError>(there_and_back(std::make_exception_ptr(killed)),
                              [](TerminatedWorkerError const& rebuilt) {
                                EXPECT_EQ(rebuilt.pid(), 55);
                                EXPECT_EQ(rebuilt.signal(), 11);
                                EXPECT_EQ(rebuilt.exit_status(), std::nullopt);
                                EXPECT_EQ(rebuilt.index(), 4U);
                              });
  expect_rebuilt(TerminatedWorkerError(55, std::nullopt, 7, std::nullopt));

  // The process that threw it was a worker of a worker.
  RemoteError const remote("my::Error", "no bread", 55, 4);
  expect_rebuilt(remote);
  with<RemoteError>(there_and_back(std::make_exception_ptr(remote)),
                    [](RemoteError const& rebuilt) {
                      EXPECT_EQ(rebuilt.type_name(), "my::Error");
                      EXPECT_EQ(rebuilt.text(), "no bread");
                      EXPECT_EQ(rebuilt.pid(), 55);
                      EXPECT_EQ(rebuilt.index(), 4U);
                    });
}

}  // namespace

namespace bakery {
struct NoBread : std::out_of_range {
  using std::out_of_range::out_of_range;
};
template <class T>
struct NoMore : std::runtime_error {
  using std::runtime_error::runtime_error;
};
enum class Cake { none };
struct Fire {};
}  // namespace bakery

namespace {

TEST(RemoteException, DoesNotSliceWhatIsDerivedFromAKnownType) {
  expect_remote(std::make_exception_ptr(bakery::NoBread("sold out")), "bakery::NoBread",
                "sold out");
  expect_remote(std::make_exception_ptr(bakery::NoMore<std::vector<int>>("sold out")),
                "bakery::NoMore<std::vector<int, std::allocator<int> > >", "sold out");
}

TEST(RemoteException, TellsTypeAndValueOfWhatIsNoException) {
  expect_remote(std::make_exception_ptr(42), "int", "42");
  expect_remote(std::make_exception_ptr(-7L), "long", "-7");
  expect_remote(std::make_exception_ptr(true), "bool", "true");
  expect_remote(std::make_exception_ptr(std::uint64_t{42}), "unsigned long", "42");
  expect_remote(thrown_by([] { throw "no bread"; }), "char const*", "no bread");
  expect_remote(thrown_by([] { throw static_cast<char const*>(nullptr); }), "char const*",
                "(a null pointer)");
  expect_remote(std::make_exception_ptr(std::string("no bread")), "std::string", "no bread");
  expect_remote(std::make_exception_ptr(bakery::Cake::none), "bakery::Cake", "");
  expect_remote(std::make_exception_ptr(bakery::Fire()), "bakery::Fire", "");
}

TEST(RemoteException, SurvivesAWhatThatReturnsNull) {
  struct ReturnsNull : std::exception {
    [[nodiscard]] char const* what() const noexcept override { return nullptr; }
  };
  with<RemoteError>(there_and_back(std::make_exception_ptr(ReturnsNull())),
                    [](RemoteError const& remote) {
                      EXPECT_EQ(remote.text(), "(its what() returns a null pointer)");
                    });
}

template <class E>
[[noreturn]] void throw_nested_in(E const& outer, std::exception_ptr const& inner) {
  try {
    std::rethrow_exception(inner);
  } catch (...) {
    std::throw_with_nested(outer);
  }
}

template <class E>
std::exception_ptr nest_in(E const& outer, std::exception_ptr const& inner) {
  return thrown_by([&] { throw_nested_in(outer, inner); });
}

/// What `std::rethrow_if_nested` gives; null if it gives nothing.
std::exception_ptr nested_in(std::exception_ptr const& error) {
  std::exception_ptr nested;
  try {
    std::rethrow_exception(error);
  } catch (std::exception const& exception) {
    nested = thrown_by([&] { std::rethrow_if_nested(exception); });
  }
  return nested;
}

TEST(RemoteException, KeepsWhatIsNested) {
  auto const rebuilt =
      there_and_back(nest_in(std::runtime_error("breakfast"),
                             nest_in(std::system_error(ENOENT, std::generic_category(), "fridge"),
                                     std::make_exception_ptr(std::out_of_range("milk")))));
  with<std::runtime_error>(rebuilt, [](std::runtime_error const& outer) {
    EXPECT_STREQ(outer.what(), "breakfast");
    // As throw_with_nested makes it: nothing but a runtime_error that nests.
    EXPECT_EQ(typeid(outer), typeid(std::_Nested_exception<std::runtime_error>));
  });
  auto const middle = nested_in(rebuilt);
  with<std::system_error>(middle, [](std::system_error const& error) {
    EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
  });
  auto const inner = nested_in(middle);
  with<std::out_of_range>(inner, [](std::out_of_range const& error) {
    EXPECT_EQ(typeid(error), typeid(std::out_of_range));
    EXPECT_STREQ(error.what(), "milk");
  });
  EXPECT_EQ(nested_in(inner), nullptr);
}

TEST(RemoteException, KeepsWhatIsNestedInAnUnknownType) {
  auto const original =
      nest_in(bakery::NoBread("sold out"), std::make_exception_ptr(std::out_of_range("flour")));
  expect_remote(original, "bakery::NoBread", "sold out");
  with<std::out_of_range>(nested_in(there_and_back(original)),
                          [](auto const& inner) { EXPECT_STREQ(inner.what(), "flour"); });
  auto const of_template = nest_in(bakery::NoMore<std::vector<int>>("sold out"),
                                   std::make_exception_ptr(std::out_of_range("flour")));
  expect_remote(of_template, "bakery::NoMore<std::vector<int, std::allocator<int> > >", "sold out");
}

TEST(RemoteException, KeepsAnUnknownTypeThatIsNested) {
  auto const inner = nested_in(
      there_and_back(nest_in(std::runtime_error("breakfast"), std::make_exception_ptr(7))));
  with<RemoteError>(inner, [](RemoteError const& remote) {
    EXPECT_EQ(remote.type_name(), "int");
    EXPECT_EQ(remote.text(), "7");
    EXPECT_EQ(remote.index(), some_index);
  });
}

TEST(RemoteException, MindsANestingExceptionThatNestsNothing) {
  auto const original = thrown_by([] { std::throw_with_nested(std::runtime_error("alone")); });
  auto const rebuilt = there_and_back(original);
  with<std::runtime_error>(rebuilt, [](auto const& error) { EXPECT_STREQ(error.what(), "alone"); });
  EXPECT_EQ(nested_in(rebuilt), nullptr);
}

std::exception_ptr nested_so_deep(int levels) {
  auto error = std::make_exception_ptr(std::runtime_error("1"));
  for (int i = 2; i <= levels; ++i) error = nest_in(std::runtime_error(std::to_string(i)), error);
  return error;
}

TEST(RemoteException, CutsOffWhatIsNestedTooDeep) {
  for (int const levels : {max_nested_exceptions, max_nested_exceptions + 1, 100}) {
    auto error = there_and_back(nested_so_deep(levels));
    for (int i = 0; i < max_nested_exceptions; ++i) {
      with<std::runtime_error>(error, [&](auto const& exception) {
        EXPECT_EQ(exception.what(), std::to_string(levels - i));
      });
      error = nested_in(error);
    }
    EXPECT_EQ(error, nullptr);
  }
}

TEST(RemoteException, RefusesAMessageThatNestsTooDeep) {
  std::vector<std::byte> const bytes(1000, std::byte{1});
  EXPECT_THROW(decode(bytes), BadMessage);
}

/// One of each.
std::vector<std::exception_ptr> samples() {
  auto const code = std::make_error_code(std::errc::no_such_file_or_directory);
  return {std::make_exception_ptr(std::runtime_error("no bread")),
          std::make_exception_ptr(std::bad_alloc()),
          std::make_exception_ptr(std::system_error(code, "open")),
          std::make_exception_ptr(std::filesystem::filesystem_error("copy", "a", "b", code)),
          std::make_exception_ptr(std::ios_base::failure("read")),
          std::make_exception_ptr(std::future_error(std::future_errc::no_state)),
          std::make_exception_ptr(TimeoutError("late", 3)),
          std::make_exception_ptr(TerminatedWorkerError(55, 11, 7, 4)),
          std::make_exception_ptr(RemoteError("my::Error", "no bread", 55, 4)),
          std::make_exception_ptr(42),
          nest_in(std::runtime_error("breakfast"), std::make_exception_ptr(7))};
}

TEST(RemoteException, RefusesAMessageCutOffAnywhere) {
  for (auto const& error : samples()) {
    auto const bytes = encode(error);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      // A copy of its own, so that a sanitizer sees whoever reads on.
      std::vector<std::byte> const cut(bytes.begin(),
                                       bytes.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_THROW(decode(cut), BadMessage) << size << " of " << bytes.size();
    }
  }
}

TEST(RemoteException, SurvivesAnyDamage) {
  std::mt19937 random(1);  // NOLINT(cert-msc51-cpp)
  int refused = 0;
  for (auto const& error : samples()) {
    auto const bytes = encode(error);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      for (int const bits : {0x01, 0x80, 0xff, static_cast<int>(random() % 255 + 1)}) {
        auto damaged = bytes;
        damaged[at] ^= std::byte(bits);
        InMessage in;
        in.bytes = damaged;
        try {
          EXPECT_NE(decode_exception(in, some_pid, some_index), nullptr);
        } catch (BadMessage const&) {
          ++refused;
        }
      }
    }
  }
  EXPECT_GT(refused, 0);
}

TEST(RemoteException, LeavesWhatFollowsInTheMessage) {
  OutMessage out;
  encode_exception(out, std::make_exception_ptr(std::runtime_error("first")));
  encode_exception(out, std::make_exception_ptr(std::logic_error("second")));
  InMessage in;
  in.bytes = out.bytes;
  with<std::runtime_error>(decode_exception(in, some_pid, 0),
                           [](auto const& error) { EXPECT_STREQ(error.what(), "first"); });
  with<std::logic_error>(decode_exception(in, some_pid, 1),
                         [](auto const& error) { EXPECT_STREQ(error.what(), "second"); });
  EXPECT_TRUE(in.bytes.empty());
}

// Kinds as users' types have them, whose values run foreign code.

struct Heavy {
  std::vector<char> load;
};
struct HeavyCodec {
  static bool encode(OutMessage& out, Heavy const& heavy) {
    out.blocks.push_back({heavy.load.data(), heavy.load.size()});
    return true;
  }
  static Heavy decode(InMessage& in, std::string const& /*text*/) {
    Heavy heavy;
    heavy.load.resize(static_cast<std::size_t>(in.block_sizes.front()));
    in.block_sizes = in.block_sizes.subspan(1);
    in.fills.push_back({heavy.load.data(), heavy.load.size()});
    return heavy;
  }
};

TEST(RemoteException, CopiesBlocks) {
  ExceptionRegistry::add(kind_of<Heavy, HeavyCodec>());
  auto bytes = encode(std::make_exception_ptr(Heavy{std::vector<char>(200'000, 'x')}));
  with<Heavy>(decode(bytes),
              [](Heavy const& heavy) { EXPECT_EQ(heavy.load, std::vector<char>(200'000, 'x')); });
  bytes.pop_back();
  EXPECT_THROW(decode(bytes), BadMessage);
}

enum class Trouble { none, saving, loading, damage, leaving };
struct Troubled : std::runtime_error {
  explicit Troubled(Trouble where) : std::runtime_error("troubled"), trouble(where) {}
  Trouble trouble;
};
struct TroubledCodec {
  static bool encode(OutMessage& out, Troubled const& error) {
    joblot::detail::put(out, error.trouble);
    if (error.trouble == Trouble::saving) throw std::logic_error("cannot save");
    return true;
  }
  static Troubled decode(InMessage& in, std::string const& /*text*/) {
    InMessage copy = in;
    auto const trouble = joblot::detail::take<Trouble>(copy);
    if (trouble == Trouble::loading) throw std::logic_error("cannot load");
    if (trouble == Trouble::damage) throw BadMessage("damaged");
    if (trouble != Trouble::leaving) in = copy;
    return Troubled(trouble);
  }
};

TEST(RemoteException, SurvivesForeignCodeThatCannotSaveOrLoad) {
  ExceptionRegistry::add(kind_of<Troubled, TroubledCodec>());
  expect_rebuilt(Troubled(Trouble::none));
  for (auto const trouble : {Trouble::saving, Trouble::loading}) {
    auto const error = std::make_exception_ptr(Troubled(trouble));
    expect_remote(error, "(anonymous namespace)::Troubled", "troubled");
    // What is nested is not lost with it.
    auto const inner = std::make_exception_ptr(std::out_of_range("milk"));
    with<std::out_of_range>(nested_in(there_and_back(nest_in(Troubled(trouble), inner))),
                            [](auto const& kept) { EXPECT_STREQ(kept.what(), "milk"); });
  }
  for (auto const trouble : {Trouble::damage, Trouble::leaving}) {
    auto const bytes = encode(std::make_exception_ptr(Troubled(trouble)));
    EXPECT_THROW(decode(bytes), BadMessage);
  }
}

TEST(RemoteException, IsRebuiltNestingIfRegistered) {
  ExceptionRegistry::add(kind_of<Troubled, TroubledCodec>());
  auto const rebuilt = there_and_back(
      nest_in(Troubled(Trouble::none), std::make_exception_ptr(std::out_of_range("milk"))));
  with<Troubled>(rebuilt, [](Troubled const& error) { EXPECT_EQ(error.trouble, Trouble::none); });
  with<std::out_of_range>(nested_in(rebuilt),
                          [](auto const& error) { EXPECT_STREQ(error.what(), "milk"); });
}

}  // namespace
