// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/error.hpp>
#include <joblot/serialization/code_identity.hpp>

namespace {

using joblot::detail::Build;
using joblot::detail::CodeIdentity;
using joblot::detail::find_code;
using joblot::detail::identify;

int answer() { return 42; }
int number = 7;

void const* address_of(int (*function)()) { return reinterpret_cast<void const*>(function); }

std::string error_of(CodeIdentity const& identity, std::size_t size = 1) {
  try {
    static_cast<void>(find_code(identity, size));
  } catch (joblot::Error const& error) {
    return error.what();
  }
  return "no error";
}

TEST(CodeIdentity, LeadsBackToFunctionsAndObjectsOfTheProgram) {
  auto const function = identify(address_of(&answer));
  EXPECT_EQ(function.path, "");
  EXPECT_EQ(find_code(function), address_of(&answer));
  EXPECT_EQ(reinterpret_cast<int (*)()>(find_code(function))(), 42);

  auto const object = identify(&number);
  EXPECT_EQ(find_code(object, sizeof number), &number);
  EXPECT_EQ(object.build, function.build);
  EXPECT_NE(object, function);
}

TEST(CodeIdentity, NamesALibraryByItsAbsolutePath) {
  auto const file = identify(reinterpret_cast<void const*>(&std::fclose));
  if (file.path.empty()) GTEST_SKIP() << "linked statically";
  EXPECT_EQ(file.path.front(), '/');
  EXPECT_EQ(find_code(file), reinterpret_cast<void*>(&std::fclose));
}

TEST(CodeIdentity, FindsTheSameBuildUnderAnotherName) {
  auto file = identify(reinterpret_cast<void const*>(&std::fclose));
  if (file.path.empty()) GTEST_SKIP() << "linked statically";
  if (file.build.id_size == 0) GTEST_SKIP() << "no build-id";
  file.path = "/elsewhere/libc.so";
  EXPECT_EQ(find_code(file), reinterpret_cast<void*>(&std::fclose));
}

TEST(CodeIdentity, RefusesWhatIsInNoFile) {
  auto const heap = std::make_unique<int>(1);
  int const stack = 2;
  EXPECT_THROW(static_cast<void>(identify(heap.get())), joblot::Error);
  EXPECT_THROW(static_cast<void>(identify(&stack)), joblot::Error);
  EXPECT_THROW(static_cast<void>(identify(nullptr)), joblot::Error);
}

TEST(CodeIdentity, SaysThatTheProgramHasChanged) {
  auto identity = identify(&number);
  identity.build.id[0] ^= std::byte{1};
  identity.build.file_time += 1;
  auto const error = error_of(identity);
  EXPECT_NE(error.find("the program on disk has changed"), error.npos) << error;
}

TEST(CodeIdentity, SaysWhichLibraryIsMissing) {
  auto identity = identify(&number);
  identity.build.id[0] ^= std::byte{1};
  identity.build.file_time += 1;
  identity.path = "/nowhere/libplugin.so";
  auto const error = error_of(identity);
  EXPECT_NE(error.find("library /nowhere/libplugin.so is not loaded"), error.npos) << error;
}

TEST(CodeIdentity, RefusesOffsetsOutsideOfTheModule) {
  auto identity = identify(&number);
  EXPECT_NE(error_of(identity, std::size_t{1} << 40).find("outside"), std::string::npos);
  identity.offset = ~std::uint64_t{0} / 2;
  EXPECT_NE(error_of(identity).find("outside"), std::string::npos);
}

// As it is sent: with a build-id, or without one.
class CodeIdentityBytes : public testing::TestWithParam<std::size_t> {
 public:
  [[nodiscard]] static CodeIdentity sample() {
    CodeIdentity result;
    result.build.id_size = static_cast<std::uint8_t>(GetParam());
    for (std::size_t i = 0; i < GetParam(); ++i) result.build.id.at(i) = std::byte{0xab};
    if (GetParam() == 0) result.build.layout = 678;
    if (GetParam() == 0) result.build.file_size = 12345;
    if (GetParam() == 0) result.build.file_time = -1;
    result.offset = 0x123456789abcdef0;
    result.path = "/some/lib.so";
    return result;
  }
};

TEST_P(CodeIdentityBytes, GoThereAndBack) {
  std::vector<std::byte> bytes{std::byte{9}};  // something is there already
  auto first = sample();
  first.append_to(bytes);
  auto second = first;
  second.path.clear();
  second.append_to(bytes);

  auto rest = std::span<std::byte const>(bytes).subspan(1);
  EXPECT_EQ(CodeIdentity::read_from(rest), first);
  EXPECT_EQ(CodeIdentity::read_from(rest), second);
  EXPECT_TRUE(rest.empty());
}

TEST_P(CodeIdentityBytes, AreRefusedIfTheyAreCutShort) {
  std::vector<std::byte> bytes;
  sample().append_to(bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    std::vector<std::byte> const shorter(bytes.begin(),
                                         bytes.begin() + static_cast<std::ptrdiff_t>(size));
    std::span<std::byte const> rest = shorter;
    EXPECT_THROW(CodeIdentity::read_from(rest), joblot::Error) << size;
  }
}

INSTANTIATE_TEST_SUITE_P(BuildId, CodeIdentityBytes, testing::Values(0U, 8U, 20U));

TEST(CodeIdentity, RefusesABuildIdThatIsTooLong) {
  std::vector<std::byte> const bytes(100, std::byte{21});
  std::span<std::byte const> rest = bytes;
  EXPECT_THROW(CodeIdentity::read_from(rest), joblot::Error);
}

}  // namespace
