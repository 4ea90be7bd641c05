// SPDX-License-Identifier: MIT
// Tests of who takes which indices.
#include <joblot/claims.hpp>
// First, because it needs no other.
#include <atomic>
#include <cstddef>
#include <latch>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using joblot::detail::Claim;
using joblot::detail::IndexClaims;
using Ends = IndexClaims::Ends;

auto take(IndexClaims& claims, int worker, std::size_t count) {
  return claims.take(worker, [count](std::size_t /*left*/, bool /*at_home*/) { return count; });
}

void expect_claim(Claim claim, std::size_t first, std::size_t count) {
  EXPECT_EQ(claim.first, first);
  EXPECT_EQ(claim.count, count);
}

TEST(IndexClaims, WithOneEndGoFromTheFirstToTheLast) {
  IndexClaims claims(10, Ends::one);
  expect_claim(take(claims, 0, 3), 0, 3);
  expect_claim(take(claims, 1, 4), 3, 4);
  EXPECT_FALSE(claims.empty());
  expect_claim(take(claims, 7, 9), 7, 3);
  EXPECT_TRUE(claims.empty());
  EXPECT_EQ(take(claims, 0, 1).count, 0U);
}

TEST(IndexClaims, WithTwoEndsMeetInTheMiddle) {
  IndexClaims claims(10, Ends::two);
  expect_claim(take(claims, 0, 2), 0, 2);
  expect_claim(take(claims, 1, 2), 8, 2);
  expect_claim(take(claims, 2, 2), 2, 2);
  expect_claim(take(claims, 3, 2), 6, 2);
}

TEST(IndexClaims, GoOnInTheOtherHalfWhenTheirOwnIsEmpty) {
  IndexClaims claims(10, Ends::two);
  expect_claim(take(claims, 0, 5), 0, 5);
  expect_claim(take(claims, 0, 2), 5, 2);
  expect_claim(take(claims, 1, 1), 9, 1);
  expect_claim(take(claims, 0, 9), 7, 2);
  EXPECT_TRUE(claims.empty());
  EXPECT_EQ(take(claims, 0, 1).count, 0U);
  EXPECT_EQ(take(claims, 1, 1).count, 0U);
}

TEST(IndexClaims, TellHowMuchIsLeftAndOfWhichHalf) {
  IndexClaims claims(9, Ends::two);
  std::vector<std::size_t> left;
  std::vector<bool> at_home;
  for (int i = 0; i < 3; ++i) {
    claims.take(0, [&](std::size_t remaining, bool home) {
      left.push_back(remaining);
      at_home.push_back(home);
      return std::size_t{3};
    });
  }
  EXPECT_EQ(left, (std::vector<std::size_t>{4, 1, 5}));
  EXPECT_EQ(at_home, (std::vector<bool>{true, true, false}));
}

TEST(IndexClaims, OfNothingAreEmpty) {
  for (auto const ends : {Ends::one, Ends::two}) {
    IndexClaims claims(0, ends);
    EXPECT_TRUE(claims.empty());
    EXPECT_EQ(take(claims, 0, 1).count, 0U);
    EXPECT_EQ(take(claims, 1, 1).count, 0U);
  }
}

TEST(IndexClaims, OfOneIndexGiveItToWhoeverComes) {
  for (int worker = 0; worker < 2; ++worker) {
    IndexClaims claims(1, Ends::two);
    expect_claim(take(claims, worker, 5), 0, 1);
    EXPECT_EQ(take(claims, 1 - worker, 5).count, 0U);
  }
}

TEST(IndexClaims, GiveEachIndexToOneThread) {
  constexpr std::size_t total = 20'000;
  constexpr int workers = 4;
  for (auto const ends : {Ends::one, Ends::two}) {
    for (std::size_t const size : {1U, 3U, 100U}) {
      IndexClaims claims(total, ends);
      std::vector<std::atomic<int>> given(total);
      std::latch all_there(workers);
      std::vector<std::thread> threads;
      for (int w = 0; w < workers; ++w) {
        threads.emplace_back([&, w] {
          all_there.arrive_and_wait();
          for (;;) {
            auto const claim = take(claims, w, size);
            if (claim.count == 0) return;
            for (auto i = claim.first; i < claim.first + claim.count; ++i) ++given.at(i);
          }
        });
      }
      for (auto& thread : threads) thread.join();
      EXPECT_TRUE(claims.empty());
      for (auto const& times : given) ASSERT_EQ(times, 1);
    }
  }
}

}  // namespace
