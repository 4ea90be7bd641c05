// SPDX-License-Identifier: MIT
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include <joblot/byte_size.hpp>

namespace {

using joblot::InvalidOption;
using joblot::detail::parse_byte_size;

// The text of the error, "" if there is none.
std::string error_of(std::string_view text) {
  try {
    static_cast<void>(parse_byte_size(text));
  } catch (InvalidOption const& error) {
    return error.what();
  }
  return "";
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

TEST(ByteSize, CountsInPowersOf1024) {
  EXPECT_EQ(parse_byte_size("10K"), 10'240U);
  EXPECT_EQ(parse_byte_size("1M"), 1'048'576U);
  EXPECT_EQ(parse_byte_size("2G"), std::size_t{2} << 30);
  EXPECT_EQ(parse_byte_size("0K"), 0U);
}

TEST(ByteSize, CountsBytesWithoutAUnit) {
  EXPECT_EQ(parse_byte_size("512"), 512U);
  EXPECT_EQ(parse_byte_size("0"), 0U);
  EXPECT_EQ(parse_byte_size("007"), 7U);
}

TEST(ByteSize, TruncatesDecimals) {
  EXPECT_EQ(parse_byte_size("1.4M"), 1'468'006U);
  EXPECT_EQ(parse_byte_size("0.5K"), 512U);
  EXPECT_EQ(parse_byte_size(".5K"), 512U);
  EXPECT_EQ(parse_byte_size("1.K"), 1024U);
  EXPECT_EQ(parse_byte_size("1.9"), 1U);
  EXPECT_EQ(parse_byte_size("0.0001K"), 0U);
  EXPECT_EQ(parse_byte_size("0." + std::string(400, '0') + "1G"), 0U);
}

TEST(ByteSize, KeepsWholeNumbersExact) {
  auto const largest = (std::numeric_limits<std::size_t>::max)();
  EXPECT_EQ(parse_byte_size(std::to_string(largest)), largest);
  EXPECT_EQ(parse_byte_size(std::to_string(largest >> 10) + "K"), largest >> 10 << 10);
}

TEST(ByteSize, RejectsWhatDoesNotFit) {
  auto const largest = (std::numeric_limits<std::size_t>::max)();
  for (std::string const& text :
       {std::to_string(largest) + "0", std::to_string((largest >> 30) + 1) + "G",
        std::to_string(largest) + ".9K", std::string("18446744073709551616.0"),
        std::string(400, '9') + ".5"}) {
    EXPECT_TRUE(contains(error_of(text), "is too large")) << text;
  }
}

TEST(ByteSize, RejectsJunk) {
  for (std::string_view const text :
       {"",    "K",    ".",    ".M",  "1Q",  "1k",   "1m",    "1KB",   "1 M", " 1M", "1M ", "-1M",
        "+1M", "1e3K", "0x10", "inf", "nan", "1,4M", "1.2.3", "1.2.M", "M1",  "1MM", "\n"}) {
    EXPECT_TRUE(contains(error_of(text), "is not a size")) << text;
  }
  EXPECT_NE(error_of(std::string_view("1\0", 2)), "");
}

TEST(ByteSize, NamesOptionValueAndWhatIsAllowed) {
  std::string const message = error_of("1Q");
  EXPECT_TRUE(contains(message, "max_nbytes")) << message;
  EXPECT_TRUE(contains(message, "\"1Q\"")) << message;
  EXPECT_TRUE(contains(message, "K, M and G")) << message;
}

}  // namespace
