#include "load/distribution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace gossamer::load {
namespace {

constexpr double kPrecision = 1. / 256;

double exact_quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(values.size())));
  return values[std::max<size_t>(rank, 1) - 1];
}

TEST(Distribution, NothingIsZero) {
  const Distribution empty;
  EXPECT_EQ(empty.count(), 0u);
  for (const double value : {empty.mean(), empty.min(), empty.max(), empty.quantile(0.5)}) EXPECT_EQ(value, 0);
}

TEST(Distribution, OneValueIsEveryQuantile) {
  Distribution one;
  one.add(12.34);
  for (const double share : {0., 0.5, 0.99, 1.}) EXPECT_EQ(one.quantile(share), 12.34);
}

TEST(Distribution, NearestRank) {
  Distribution ten;
  for (int i = 1; i <= 10; ++i) ten.add(i);
  EXPECT_NEAR(ten.quantile(0.5), 5, 5 * kPrecision);
  EXPECT_NEAR(ten.quantile(0.9), 9, 9 * kPrecision);
  EXPECT_EQ(ten.quantile(0.99), 10);
  EXPECT_EQ(ten.quantile(0), 1);
  EXPECT_DOUBLE_EQ(ten.mean(), 5.5);
}

TEST(Distribution, QuantilesAreWithinABucketOfTheExactOnes) {
  std::mt19937_64 random(1);
  for (const double sigma : {0.1, 1., 3.}) {
    std::lognormal_distribution<double> draw(1, sigma);
    Distribution distribution;
    std::vector<double> values(5000);
    for (double& value : values) distribution.add(value = draw(random));
    for (const double share : {0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999}) {
      const double exact = exact_quantile(values, share);
      EXPECT_NEAR(distribution.quantile(share), exact, exact * kPrecision) << "share " << share << " sigma " << sigma;
    }
    EXPECT_EQ(distribution.max(), *std::max_element(values.begin(), values.end()));
    EXPECT_EQ(distribution.min(), *std::min_element(values.begin(), values.end()));
  }
}

TEST(Distribution, AddedUpIsAllTogether) {
  Distribution first, second, all;
  for (const double value : {0., 1e-9, 0.5, 700.}) first.add(value), all.add(value);
  for (const double value : {3., 1e7}) second.add(value), all.add(value);
  first.add(second);
  first.add(Distribution());
  EXPECT_EQ(first.count(), 6u);
  EXPECT_EQ(first.mean(), all.mean());
  for (const double share : {0., 0.3, 0.5, 0.8, 1.}) EXPECT_EQ(first.quantile(share), all.quantile(share));
  Distribution empty;
  empty.add(second);
  EXPECT_EQ(empty.min(), 3);
}

TEST(Distribution, OddValuesHavePlaces) {
  Distribution odd;
  for (const double value : {-5., 0., 1e-300, 1e300}) odd.add(value);
  EXPECT_EQ(odd.min(), 0);
  EXPECT_EQ(odd.max(), 1e300);
  EXPECT_EQ(odd.quantile(0.5), 0);
}

}  // namespace
}  // namespace gossamer::load
