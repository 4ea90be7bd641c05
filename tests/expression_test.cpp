// SPDX-License-Identifier: MIT
#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include <joblot/expression.hpp>

namespace {

using joblot::InvalidOption;
using joblot::detail::evaluate_expression;
using joblot::detail::pre_dispatch_window;

// The text of the error, "" if there is none.
std::string error_of(std::string_view text, int n_jobs = 2) {
  try {
    static_cast<void>(evaluate_expression(text, n_jobs));
  } catch (InvalidOption const& error) {
    return error.what();
  }
  return "";
}

std::string window_error_of(std::string_view text, int n_jobs = 2) {
  try {
    static_cast<void>(pre_dispatch_window(text, n_jobs));
  } catch (InvalidOption const& error) {
    return error.what();
  }
  return "";
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

TEST(Expression, EvaluatesLiteralsAndTheNumberOfJobs) {
  EXPECT_EQ(evaluate_expression("7", 2), 7);
  EXPECT_EQ(evaluate_expression("0", 2), 0);
  EXPECT_EQ(evaluate_expression("00", 2), 0);
  EXPECT_EQ(evaluate_expression("1.5", 2), 1.5);
  EXPECT_EQ(evaluate_expression(".5", 2), 0.5);
  EXPECT_EQ(evaluate_expression("5.", 2), 5);
  EXPECT_EQ(evaluate_expression("1e3", 2), 1000);
  EXPECT_EQ(evaluate_expression("1.E+3", 2), 1000);
  EXPECT_EQ(evaluate_expression("25e-1", 2), 2.5);
  EXPECT_EQ(evaluate_expression("1e-400", 2), 0);
  EXPECT_EQ(evaluate_expression("n_jobs", 13), 13);
  EXPECT_EQ(evaluate_expression("2 * n_jobs", 13), 26);
}

TEST(Expression, EvaluatesWhatJoblibsOwnTestsDo) {
  EXPECT_EQ(evaluate_expression("2*6", 1), 12);
  EXPECT_EQ(evaluate_expression("2**6", 1), 64);
  EXPECT_EQ(evaluate_expression("1 + 2*3**(4) / (6 + -7)", 1), -161);
  EXPECT_EQ(evaluate_expression("(20 // 3) % 5", 1), 1);
}

TEST(Expression, GroupsFromTheLeftExceptForPowers) {
  EXPECT_EQ(evaluate_expression("10 - 4 - 3", 1), 3);
  EXPECT_EQ(evaluate_expression("100 / 10 / 2", 1), 5);
  EXPECT_EQ(evaluate_expression("2 ** 3 ** 2", 1), 512);
  EXPECT_EQ(evaluate_expression("(2 ** 3) ** 2", 1), 64);
  EXPECT_EQ(evaluate_expression("7 // 2 * 2 % 4", 1), 2);
}

TEST(Expression, BindsPowersTighterThanASignOnTheirLeftOnly) {
  EXPECT_EQ(evaluate_expression("-2 ** 2", 1), -4);
  EXPECT_EQ(evaluate_expression("2 ** -1", 1), 0.5);
  EXPECT_EQ(evaluate_expression("2 ** -2 ** 2", 1), 0.0625);
  EXPECT_EQ(evaluate_expression("- - +3", 1), 3);
  EXPECT_EQ(evaluate_expression("2*-3", 1), -6);
}

TEST(Expression, FloorsQuotientsAndGivesRemaindersTheSignOfTheDivisor) {
  EXPECT_EQ(evaluate_expression("-7 // 2", 1), -4);
  EXPECT_EQ(evaluate_expression("7 // -2", 1), -4);
  EXPECT_EQ(evaluate_expression("-7 % 3", 1), 2);
  EXPECT_EQ(evaluate_expression("7 % -3", 1), -2);
  EXPECT_EQ(evaluate_expression("7.5 // 2", 1), 3);
  EXPECT_EQ(evaluate_expression("7.5 % 2", 1), 1.5);
  EXPECT_EQ(evaluate_expression("1 // 0.1", 1), 9);  // 0.1 is a little more than a tenth
  EXPECT_EQ(evaluate_expression("7 / 2", 1), 3.5);
}

TEST(Expression, IgnoresBlanksBetweenTokens) {
  EXPECT_EQ(evaluate_expression("  2\t*( n_jobs ) ", 3), 6);
  EXPECT_TRUE(contains(error_of("2 * * 3"), "unexpected \"* 3\""));
  EXPECT_TRUE(contains(error_of("2 / / 3"), "unexpected"));
}

TEST(Expression, RejectsWhatIsNoArithmetic) {
  for (std::string_view const text : {"exec('import os')",
                                      "print(1)",
                                      "import os",
                                      "1+1; import os",
                                      "1^1",
                                      "' ' * 10**10",
                                      "9. ** 10000.",
                                      "",
                                      "   ",
                                      "()",
                                      "(1",
                                      "1)",
                                      "1 +",
                                      "* 1",
                                      "2 3",
                                      "2n_jobs",
                                      "n_jobs2",
                                      "n_job",
                                      "N_JOBS",
                                      "n_jobs(1)",
                                      "All",
                                      "True",
                                      "inf",
                                      "nan",
                                      "0x10",
                                      "1_000",
                                      "1j",
                                      "1e",
                                      "1e+",
                                      ".",
                                      "1..2",
                                      "010",
                                      "1 if 1 else 2",
                                      "~1",
                                      "1 << 2",
                                      "1 == 1",
                                      "2***3",
                                      "1,2",
                                      "1\n+1",
                                      "\xc3\xa9"}) {
    EXPECT_TRUE(contains(error_of(text), " is not valid")) << text << ": " << error_of(text);
  }
  EXPECT_TRUE(contains(error_of(std::string_view("1\0", 2)), " is not valid"));
}

TEST(Expression, RejectsDivisionByZero) {
  for (std::string_view const text :
       {"1/0", "1//0", "1%0", "0**-1", "1/(n_jobs-2)", "0/0", "1/-0", "1%0.0"}) {
    EXPECT_TRUE(contains(error_of(text), "divides by zero")) << text;
  }
}

TEST(Expression, RejectsPowersWithoutARealValue) {
  EXPECT_TRUE(contains(error_of("(-8) ** 0.5"), "no real value"));
}

TEST(Expression, RejectsTextLongerThanThirtyCharacters) {
  EXPECT_EQ(evaluate_expression("1+1+1+1+1+1+1+1+1+1+1+1+1+1+10", 1), 24);  // just 30
  std::string const message = error_of("1+1+1+1+1+1+1+1+1+1+1+1+1+1+100");
  EXPECT_TRUE(contains(message, "is too long")) << message;
  EXPECT_TRUE(contains(message, "30")) << message;
  EXPECT_LT(error_of(std::string(100'000, '(')).size(), 500U);
  EXPECT_NE(error_of(std::string(30, '(')), "");
  EXPECT_NE(error_of(std::string(30, '-')), "");
}

TEST(Expression, RejectsLiteralsAndIntermediateValuesBeyondAMillion) {
  EXPECT_EQ(evaluate_expression("1000000", 1), 1e6);
  EXPECT_EQ(evaluate_expression("10**6", 1), 1e6);
  EXPECT_EQ(evaluate_expression("n_jobs", 1'000'000), 1e6);
  for (std::string_view const text :
       {"1e7", "10**7", "9**9**9", "1000001", "1e999", "9e99 * 0", "10**6*2 - 10**6",
        "-(10**6) - 1", "99999999999999999999", "2 // 1e-300"}) {
    EXPECT_TRUE(contains(error_of(text), "is too large")) << text << ": " << error_of(text);
  }
  EXPECT_TRUE(contains(error_of("n_jobs", 1'000'001), "is too large"));
}

TEST(Expression, NamesOptionValueAndWhatIsAllowed) {
  std::string const message = error_of("2 * jobs");
  EXPECT_TRUE(contains(message, "pre_dispatch")) << message;
  EXPECT_TRUE(contains(message, "\"2 * jobs\"")) << message;
  EXPECT_TRUE(contains(message, "unexpected \"jobs\"")) << message;
  EXPECT_TRUE(contains(message, "\"2 * n_jobs\"")) << message;
  EXPECT_TRUE(contains(message, "\"all\"")) << message;
}

TEST(Expression, PutsNoControlCharactersIntoMessages) {
  EXPECT_FALSE(contains(error_of("\x1b[31m"), "\x1b"));
}

TEST(PreDispatchWindow, IsUnlimitedForAll) {
  EXPECT_EQ(pre_dispatch_window("all", 4), std::nullopt);
}

TEST(PreDispatchWindow, TruncatesTheValue) {
  EXPECT_EQ(pre_dispatch_window("2 * n_jobs", 4), 8U);
  EXPECT_EQ(pre_dispatch_window("1.9", 4), 1U);
  EXPECT_EQ(pre_dispatch_window("1.5 * n_jobs", 3), 4U);
  EXPECT_EQ(pre_dispatch_window("1", 4), 1U);
}

TEST(PreDispatchWindow, RejectsAValueBelowOneAndTellsIt) {
  for (std::string_view const text : {"0", "0.4 * n_jobs", "-3", "n_jobs - 2", "0.99"}) {
    EXPECT_TRUE(contains(window_error_of(text), "at least 1")) << text;
  }
  std::string const message = window_error_of("0.4 * n_jobs", 2);
  EXPECT_TRUE(contains(message, "pre_dispatch")) << message;
  EXPECT_TRUE(contains(message, "\"0.4 * n_jobs\"")) << message;
  EXPECT_TRUE(contains(message, "0.8")) << message;
  EXPECT_TRUE(contains(message, "n_jobs = 2")) << message;
}

}  // namespace
