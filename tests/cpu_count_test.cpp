// SPDX-License-Identifier: MIT
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/cpu_count.hpp>

namespace {

namespace fs = std::filesystem;
using joblot::cpu_count;
using joblot::InvalidOption;
using joblot::detail::cgroup_cpu_limit;
using joblot::detail::physical_core_count;

// The variable as the test wants it, and afterwards as it was.
class MaxCpuCount {
 public:
  explicit MaxCpuCount(char const* value) {
    if (char const* const before = std::getenv("JOBLOT_MAX_CPU_COUNT")) before_ = before;
    set(value);
  }
  MaxCpuCount(MaxCpuCount const&) = delete;
  MaxCpuCount& operator=(MaxCpuCount const&) = delete;
  ~MaxCpuCount() { set(before_ ? before_->c_str() : nullptr); }

 private:
  static void set(char const* value) {
    if (value != nullptr) {
      ::setenv("JOBLOT_MAX_CPU_COUNT", value, 1);
    } else {
      ::unsetenv("JOBLOT_MAX_CPU_COUNT");
    }
  }

  std::optional<std::string> before_;
};

int const counted_before_main = [] {
  MaxCpuCount const unset(nullptr);
  return cpu_count();
}();

TEST(CpuCount, IsAtLeastOneAlsoBeforeMain) {
  MaxCpuCount const unset(nullptr);
  EXPECT_GE(cpu_count(), 1);
  EXPECT_GE(counted_before_main, 1);
}

TEST(CpuCount, HasNoMorePhysicalCoresThanCpus) {
  MaxCpuCount const unset(nullptr);
  EXPECT_GE(cpu_count(true), 1);
  EXPECT_LE(cpu_count(true), cpu_count(false));
}

TEST(CpuCount, IsCappedByTheEnvironment) {
  MaxCpuCount const one("1");
  EXPECT_EQ(cpu_count(), 1);
  EXPECT_EQ(cpu_count(true), 1);
}

TEST(CpuCount, IsNotRaisedByTheEnvironment) {
  int without = 0;
  {
    MaxCpuCount const unset(nullptr);
    without = cpu_count();
  }
  for (char const* const text : {"1000000", "2147483648", "99999999999999999999999"}) {
    MaxCpuCount const many(text);
    EXPECT_EQ(cpu_count(), without) << text;
  }
}

TEST(CpuCount, RejectsAVariableThatIsNoPositiveInteger) {
  for (char const* const text :
       {"", "0", "00", "-1", "+4", "1.5", "four", "4 ", " 4", "0x4", "4,", "-"}) {
    MaxCpuCount const wrong(text);
    EXPECT_THROW(static_cast<void>(cpu_count()), InvalidOption) << text;
    try {
      static_cast<void>(cpu_count(true));
      ADD_FAILURE() << text;
    } catch (InvalidOption const& error) {
      std::string const message = error.what();
      EXPECT_NE(message.find("JOBLOT_MAX_CPU_COUNT"), std::string::npos) << message;
      EXPECT_NE(message.find('"' + std::string(text) + '"'), std::string::npos) << message;
      EXPECT_NE(message.find("positive integer"), std::string::npos) << message;
    }
  }
}

TEST(CpuCount, ReadsNumbersOfTheEnvironmentExactly) {
  EXPECT_EQ(joblot::detail::parse_max_cpu_count("12"), 12);
  EXPECT_EQ(joblot::detail::parse_max_cpu_count("007"), 7);
  EXPECT_EQ(joblot::detail::parse_max_cpu_count("2147483647"), INT_MAX);
  EXPECT_EQ(joblot::detail::parse_max_cpu_count("2147483648"), INT_MAX);
}

#if defined(__linux__)

TEST(CpuCount, FallsWithTheAffinityOfTheCallingThread) {
  MaxCpuCount const unset(nullptr);
  auto const before = joblot::detail::affinity_cpus();
  ASSERT_FALSE(before.empty());
  std::thread([last = before.back()] {
    std::vector<cpu_set_t> mask(static_cast<std::size_t>(last) / CPU_SETSIZE + 1);
    std::size_t const bytes = mask.size() * sizeof(cpu_set_t);
    CPU_SET_S(static_cast<std::size_t>(last), bytes, mask.data());
    if (::sched_setaffinity(0, bytes, mask.data()) != 0) {
      GTEST_SKIP() << "this system does not let a thread restrict itself";
    }
    EXPECT_EQ(joblot::detail::affinity_cpus(), std::vector<int>{last});
    EXPECT_EQ(cpu_count(), 1);
    EXPECT_EQ(cpu_count(true), 1);
  }).join();
  EXPECT_EQ(joblot::detail::affinity_cpus(), before);
}

TEST(CpuCount, MayBeAskedByManyThreadsAtOnce) {
  MaxCpuCount const unset(nullptr);
  int const expected = cpu_count();
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([expected] {
      for (int i = 0; i < 200; ++i) EXPECT_EQ(cpu_count(), expected);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// A directory that stands in for "/".
class FakeRoot : public testing::Test {
 protected:
  FakeRoot() {
    std::string name = (fs::temp_directory_path() / "joblot_cpu_count_XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw fs::filesystem_error("mkdtemp", name, {});
    root_ = name;
  }
  ~FakeRoot() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }

  void write(std::string const& path, std::string_view content) const {
    fs::create_directories(fs::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << content;
  }

  void mount_v2(std::string const& mount_root = "/") const {
    write("/proc/self/mountinfo",
          "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
          "31 23 0:28 " +
              mount_root +
              " /sys/fs/cgroup rw,nosuid shared:4 master:1 - cgroup2 cgroup2 rw,nsdelegate\n");
  }

  void mount_v1(std::string const& mount_root = "/") const {
    write("/proc/self/mountinfo",
          "30 31 0:31 " + mount_root +
              " /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
              "32 31 0:29 " +
              mount_root + " /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n");
  }

  void quota_v1(std::string const& group, std::string const& quota) const {
    write("/sys/fs/cgroup/cpu,cpuacct" + group + "/cpu.cfs_quota_us", quota + "\n");
    write("/sys/fs/cgroup/cpu,cpuacct" + group + "/cpu.cfs_period_us", "100000\n");
  }

  std::optional<int> limit() const { return cgroup_cpu_limit(root_); }

  std::string root_;
};

using CgroupLimit = FakeRoot;

TEST_F(CgroupLimit, IsAbsentWithoutAnyFiles) { EXPECT_EQ(limit(), std::nullopt); }

TEST_F(CgroupLimit, RoundsTheVersion2QuotaUp) {
  mount_v2();
  write("/proc/self/cgroup", "0::/\n");
  for (auto const& [content, cpus] : {std::pair{"200000 100000\n", 2},
                                      {"50000 100000\n", 1},
                                      {"150000 100000\n", 2},
                                      {"100000 100000\n", 1},
                                      {"100001 100000", 2},
                                      {"1000 1000000\n", 1},
                                      {"30000 10000\n", 3}}) {
    write("/sys/fs/cgroup/cpu.max", content);
    EXPECT_EQ(limit(), cpus) << content;
  }
}

TEST_F(CgroupLimit, IsAbsentForMaxAndForMalformedVersion2Files) {
  mount_v2();
  write("/proc/self/cgroup", "0::/\n");
  for (char const* const content :
       {"max 100000\n", "", "\n", "max", "100000\n", "100000 0\n", "0 100000\n", "-1 100000\n",
        "x y\n", "1e5 100000\n", "100000 100000 7\n", "99999999999999999999 100000\n"}) {
    write("/sys/fs/cgroup/cpu.max", content);
    EXPECT_EQ(limit(), std::nullopt) << content;
  }
}

TEST_F(CgroupLimit, DoesNotOverflowForAHugeQuota) {
  mount_v2();
  write("/sys/fs/cgroup/cpu.max", "9223372036854775807 1\n");
  EXPECT_EQ(limit(), INT_MAX);
}

TEST_F(CgroupLimit, IsTheTightestOfTheOwnCgroupAndItsAncestors) {
  mount_v2();
  write("/proc/self/cgroup", "0::/a.slice/b.scope\n");
  write("/sys/fs/cgroup/a.slice/b.scope/cpu.max", "400000 100000\n");
  EXPECT_EQ(limit(), 4);
  write("/sys/fs/cgroup/a.slice/cpu.max", "300000 100000\n");
  EXPECT_EQ(limit(), 3);
  write("/sys/fs/cgroup/cpu.max", "max 100000\n");
  EXPECT_EQ(limit(), 3);
  write("/sys/fs/cgroup/a.slice/b.scope/cpu.max", "max 100000\n");
  EXPECT_EQ(limit(), 3);
  write("/sys/fs/cgroup/a.slice/b.scope/cpu.max", "150000 100000\n");
  EXPECT_EQ(limit(), 2);
}

TEST_F(CgroupLimit, IgnoresCgroupsOfOthers) {
  mount_v2();
  write("/proc/self/cgroup", "0::/mine\n");
  write("/sys/fs/cgroup/other/cpu.max", "100000 100000\n");
  write("/sys/fs/cgroup/mine/child/cpu.max", "100000 100000\n");
  EXPECT_EQ(limit(), std::nullopt);
}

TEST_F(CgroupLimit, ReadsTheContainersOwnLimitWhenThePathIsTheHosts) {
  // The host's cgroup namespace, but a private mount: the directory of the path does not exist.
  mount_v2();
  write("/proc/self/cgroup", "0::/docker/0123abcd\n");
  write("/sys/fs/cgroup/cpu.max", "200000 100000\n");
  EXPECT_EQ(limit(), 2);
}

TEST_F(CgroupLimit, MapsThePathThroughTheRootOfTheMount) {
  mount_v2("/docker/0123abcd");
  write("/proc/self/cgroup", "0::/docker/0123abcd/inner\n");
  write("/sys/fs/cgroup/inner/cpu.max", "200000 100000\n");
  write("/sys/fs/cgroup/cpu.max", "300000 100000\n");
  EXPECT_EQ(limit(), 2);
  write("/proc/self/cgroup", "0::/docker/0123abcd\n");
  EXPECT_EQ(limit(), 3);
  // A name that only begins alike is not below the root: what is mounted at the usual place counts.
  write("/proc/self/cgroup", "0::/docker/0123abcdef/inner\n");
  EXPECT_EQ(limit(), 3);
}

TEST_F(CgroupLimit, DoesNotClimbOutOfTheMount) {
  mount_v2();
  write("/proc/self/cgroup", "0::/../outside\n");
  write("/sys/fs/outside/cpu.max", "100000 100000\n");
  EXPECT_EQ(limit(), std::nullopt);
  write("/sys/fs/cgroup/cpu.max", "200000 100000\n");
  EXPECT_EQ(limit(), 2);
}

TEST_F(CgroupLimit, IgnoresMountsElsewhereThatDoNotShowTheProcess) {
  write("/proc/self/mountinfo", "31 23 0:28 /other /mnt/cgroup rw - cgroup2 cgroup2 rw\n");
  write("/proc/self/cgroup", "0::/mine\n");
  write("/mnt/cgroup/cpu.max", "100000 100000\n");
  EXPECT_EQ(limit(), std::nullopt);
}

TEST_F(CgroupLimit, FindsMountPointsWithBlanks) {
  write("/proc/self/mountinfo", "31 23 0:28 / /mnt/c\\040g rw - cgroup2 my\\040cgroup rw\n");
  write("/proc/self/cgroup", "0::/mine\n");
  write("/mnt/c g/mine/cpu.max", "200000 100000\n");
  EXPECT_EQ(limit(), 2);
}

TEST_F(CgroupLimit, ReadsVersion1QuotasOfTheOwnCgroupAndItsAncestors) {
  mount_v1();
  write("/proc/self/cgroup", "9:name=systemd:/x\n4:cpuset:/y\n3:cpu,cpuacct:/a/b\n");
  quota_v1("", "-1");
  EXPECT_EQ(limit(), std::nullopt);
  quota_v1("/a/b", "350000");
  EXPECT_EQ(limit(), 4);
  quota_v1("/a", "150000");
  EXPECT_EQ(limit(), 2);
  quota_v1("/y", "100000");
  EXPECT_EQ(limit(), 2);
}

TEST_F(CgroupLimit, MapsVersion1PathsThroughTheRootOfTheMount) {
  mount_v1("/docker/0123abcd");
  write("/proc/self/cgroup", "3:cpu,cpuacct:/docker/0123abcd\n");
  quota_v1("", "50000");
  EXPECT_EQ(limit(), 1);
}

TEST_F(CgroupLimit, IsAbsentForMalformedVersion1Files) {
  mount_v1();
  write("/proc/self/cgroup", "3:cpu,cpuacct:/\n");
  for (char const* const quota : {"-1", "0", "", "max", "1.5"}) {
    quota_v1("", quota);
    EXPECT_EQ(limit(), std::nullopt) << quota;
  }
  quota_v1("", "100000");
  fs::remove(root_ + "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us");
  EXPECT_EQ(limit(), std::nullopt);
}

TEST_F(CgroupLimit, IsTheTighterOneWhereBothVersionsAreMounted) {
  write("/proc/self/mountinfo",
        "31 23 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
        "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n");
  write("/proc/self/cgroup", "1:cpu:/a\n0::/b\n");
  write("/sys/fs/cgroup/unified/b/cpu.max", "300000 100000\n");
  EXPECT_EQ(limit(), 3);
  write("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "200000\n");
  write("/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(limit(), 2);
}

TEST_F(CgroupLimit, TriesTheUsualPlacesWithoutMountinfo) {
  write("/sys/fs/cgroup/cpu.max", "300000 100000\n");
  EXPECT_EQ(limit(), 3);
  quota_v1("", "200000");
  EXPECT_EQ(limit(), 2);
}

TEST_F(CgroupLimit, SurvivesMalformedProcFiles) {
  write("/proc/self/mountinfo", "\n - \n1 2 3\n - cgroup2\nx - cgroup2 c rw\n\n1 2 - cgroup a cpu");
  write("/proc/self/cgroup", "\n:\n::\n0:\n0::\nx:y\n");
  write("/sys/fs/cgroup/cpu.max", "300000 100000\n");
  EXPECT_NO_THROW(static_cast<void>(limit()));
  write("/proc/self/mountinfo", std::string_view("\0\0\xff", 3));
  EXPECT_EQ(limit(), 3);
}

using PhysicalCores = FakeRoot;

TEST_F(PhysicalCores, AreDistinctPairsOfPackageAndCore) {
  auto const cpu = [this](int number, char const* package, char const* core) {
    std::string const directory =
        "/sys/devices/system/cpu/cpu" + std::to_string(number) + "/topology/";
    write(directory + "physical_package_id", package);
    write(directory + "core_id", core);
  };
  cpu(0, "0\n", "0\n");
  cpu(1, "0\n", "1\n");
  cpu(2, "0\n", "0\n");
  cpu(3, "0\n", "1\n");
  cpu(4, "1\n", "0\n");
  EXPECT_EQ(physical_core_count({0, 1, 2, 3, 4}, root_), 3);
  EXPECT_EQ(physical_core_count({0, 2}, root_), 1);
  EXPECT_EQ(physical_core_count({0, 4}, root_), 2);
  write("/sys/devices/system/cpu/cpu2/topology/die_id", "1\n");
  EXPECT_EQ(physical_core_count({0, 2}, root_), 2);
}

TEST_F(PhysicalCores, AreUnknownWhereTheTopologyCannotBeRead) {
  EXPECT_EQ(physical_core_count({0}, root_), std::nullopt);
  EXPECT_EQ(physical_core_count({}, root_), std::nullopt);
  write("/sys/devices/system/cpu/cpu0/topology/physical_package_id", "0\n");
  EXPECT_EQ(physical_core_count({0}, root_), std::nullopt);
  for (char const* const core : {"", "-1\n", "x\n"}) {
    write("/sys/devices/system/cpu/cpu0/topology/core_id", core);
    EXPECT_EQ(physical_core_count({0}, root_), std::nullopt) << core;
  }
  write("/sys/devices/system/cpu/cpu0/topology/core_id", "0\n");
  EXPECT_EQ(physical_core_count({0}, root_), 1);
  EXPECT_EQ(physical_core_count({0, 1}, root_), std::nullopt);
}

#endif  // defined(__linux__)

}  // namespace
