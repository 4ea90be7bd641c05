// SPDX-License-Identifier: MIT
// How many CPUs this program may really use.
#ifndef JOBLOT_CPU_COUNT_HPP
#define JOBLOT_CPU_COUNT_HPP

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include <joblot/error.hpp>
#include <joblot/quote_text.hpp>

#if defined(__linux__)
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>
#else
#include <thread>
#endif

namespace joblot {
namespace detail {

/// Name of the environment variable that caps `cpu_count()`.
inline constexpr char const* max_cpu_count_variable = "JOBLOT_MAX_CPU_COUNT";

/// The cap that `text`, the value of `JOBLOT_MAX_CPU_COUNT`, stands for; what no int holds is no
/// cap worth the name and becomes the largest int. Throws `InvalidOption` if it is no positive
/// integer.
inline int parse_max_cpu_count(std::string_view text) {
  int value = 0;
  bool valid = !text.empty();
  for (char const c : text) {
    if (c < '0' || c > '9') {
      valid = false;
      break;
    }
    int const digit = c - '0';
    int const most = (std::numeric_limits<int>::max)();
    value = value > (most - digit) / 10 ? most : value * 10 + digit;
  }
  if (!valid || value == 0) {
    throw InvalidOption(
        "The environment variable " + std::string(max_cpu_count_variable) + " = " +
        quote_text(text) +
        " is not valid. Allowed: a positive integer such as 4; unset it for no cap.");
  }
  return value;
}

/// The cap of the environment, empty if the variable is not set.
inline std::optional<int> environment_cpu_limit() {
  char const* const text = std::getenv(max_cpu_count_variable);
  if (text == nullptr) return std::nullopt;
  return parse_max_cpu_count(text);
}

/// The smaller of two limits of which each may be missing.
inline std::optional<int> tighter_limit(std::optional<int> a, std::optional<int> b) {
  if (!a) return b;
  if (!b) return a;
  return (std::min)(*a, *b);
}

#if defined(__linux__)

/// All of a file, empty if it cannot be read. Plain system calls: <fstream> would cost every
/// includer more than all the rest of this header.
inline std::optional<std::string> read_small_file(std::string const& path) {
  int const file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  struct Closer {
    int file;
    ~Closer() { ::close(file); }
  } const closer{file};
  std::string content;
  char buffer[4096];
  for (;;) {
    ::ssize_t const count = ::read(file, buffer, sizeof buffer);
    if (count == 0) return content;
    if (count > 0) {
      content.append(buffer, static_cast<std::size_t>(count));
    } else if (errno != EINTR) {
      return std::nullopt;
    }
  }
}

/// Cuts what stands before the first `separator` off `rest`, and the separator with it.
inline std::string_view take_field(std::string_view& rest, char separator) {
  std::size_t const end = rest.find(separator);
  std::string_view const field = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return field;
}

/// The integer that is all of `text` but blanks around it.
inline std::optional<long long> parse_integer(std::string_view text) {
  constexpr std::string_view blanks = " \t\n";
  std::size_t const begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return std::nullopt;
  text = text.substr(begin, text.find_last_not_of(blanks) + 1 - begin);
  long long value = 0;
  char const* const end = text.data() + text.size();
  auto const result = std::from_chars(text.data(), end, value);
  if (result.ec != std::errc{} || result.ptr != end) return std::nullopt;
  return value;
}

/// Whether `name` is an element of the comma-separated `list`.
inline bool list_contains(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    if (take_field(list, ',') == name) return true;
  }
  return false;
}

/// A mounted hierarchy of cgroups that can limit CPU time.
struct CgroupMount {
  bool unified;       ///< version 2
  std::string root;   ///< the cgroup seen at the mount point, as /proc/self/cgroup would call it
  std::string point;  ///< where it is mounted
};

/// Undoes the octal escapes (\040 for a blank) of /proc/self/mountinfo.
inline std::string unescape_mount_field(std::string_view field) {
  auto const is_octal = [](char c) { return c >= '0' && c <= '7'; };
  std::string result;
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (field[i] == '\\' && i + 3 < field.size() && is_octal(field[i + 1]) &&
        is_octal(field[i + 2]) && is_octal(field[i + 3])) {
      result += static_cast<char>((field[i + 1] - '0') * 64 + (field[i + 2] - '0') * 8 +
                                  (field[i + 3] - '0'));
      i += 3;
    } else {
      result += field[i];
    }
  }
  return result;
}

/// The mounts below `root` that can limit CPU time; the usual places if none can be found out.
inline std::vector<CgroupMount> cgroup_mounts(std::string const& root) {
  std::vector<CgroupMount> mounts;
  std::string const mountinfo = read_small_file(root + "/proc/self/mountinfo").value_or("");
  std::string_view rest = mountinfo;
  while (!rest.empty()) {
    // id parent device root point options [optional fields] - type source super_options
    std::string_view line = take_field(rest, '\n');
    std::size_t const separator = line.find(" - ");
    if (separator == std::string_view::npos) continue;
    std::string_view tail = line.substr(separator + 3);
    std::string_view const type = take_field(tail, ' ');
    take_field(tail, ' ');
    bool const unified = type == "cgroup2";
    if (!unified && !(type == "cgroup" && list_contains(tail, "cpu"))) continue;
    for (int skipped = 0; skipped < 3; ++skipped) take_field(line, ' ');
    std::string mount_root = unescape_mount_field(take_field(line, ' '));
    mounts.push_back({unified, std::move(mount_root), unescape_mount_field(take_field(line, ' '))});
  }
  if (mounts.empty()) {
    mounts = {{true, "/", "/sys/fs/cgroup"},
              {true, "/", "/sys/fs/cgroup/unified"},
              {false, "/", "/sys/fs/cgroup/cpu"},
              {false, "/", "/sys/fs/cgroup/cpu,cpuacct"}};
  }
  return mounts;
}

/// The process's own cgroup in the unified (version 2) or the `cpu` hierarchy, "/" if unknown.
inline std::string own_cgroup(std::string const& root, bool unified) {
  std::string const groups = read_small_file(root + "/proc/self/cgroup").value_or("");
  std::string_view rest = groups;
  while (!rest.empty()) {
    std::string_view path =
        take_field(rest, '\n');  // id:controllers:path, the path may have colons
    std::string_view const id = take_field(path, ':');
    std::string_view const controllers = take_field(path, ':');
    if (unified ? id == "0" && controllers.empty() : list_contains(controllers, "cpu")) {
      return std::string(path.starts_with('/') ? path : "/");
    }
  }
  return "/";
}

/// Where cgroup `path` lies below the mount point of `mount`: "" for the mount point itself, else
/// with a leading slash. Empty if the mount does not show it.
inline std::optional<std::string> path_below_mount(CgroupMount const& mount,
                                                   std::string_view path) {
  auto const has_parent_step = [](std::string_view p) {
    while (!p.empty()) {
      if (take_field(p, '/') == "..") return true;
    }
    return false;
  };
  std::string_view prefix = mount.root;
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/') &&
      !has_parent_step(path.substr(prefix.size()))) {
    return std::string(path.substr(prefix.size()));
  }
  // The names do not fit together, as when /proc or the mount stems from another cgroup namespace.
  // What is mounted at the usual place is nearly always meant for the processes that see it there.
  if (mount.point == "/sys/fs/cgroup" || mount.point.starts_with("/sys/fs/cgroup/")) return "";
  return std::nullopt;
}

/// The CPU quota of the single cgroup in `directory`, in CPUs, rounded up; empty if it has none.
inline std::optional<int> cgroup_quota(std::string const& directory, bool unified) {
  std::optional<long long> quota;
  std::optional<long long> period;
  if (unified) {
    auto const content = read_small_file(directory + "/cpu.max");  // "max 100000", "50000 100000"
    if (!content) return std::nullopt;
    std::string_view rest = *content;
    quota = parse_integer(take_field(rest, ' '));  // "max" is no integer
    period = parse_integer(rest);
  } else {
    auto const content = read_small_file(directory + "/cpu.cfs_quota_us");  // -1: none
    if (!content) return std::nullopt;
    quota = parse_integer(*content);
    period = parse_integer(read_small_file(directory + "/cpu.cfs_period_us").value_or(""));
  }
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  long long const cpus = (*quota - 1) / *period + 1;
  return static_cast<int>(
      (std::min)(cpus, static_cast<long long>((std::numeric_limits<int>::max)())));
}

/// The tightest CPU quota, rounded up to whole CPUs, of the process's cgroup and all its ancestors
/// that can be seen, in cgroup versions 1 and 2; empty if there is none. Every level counts,
/// because the kernel enforces every level. `root` is put before every path.
inline std::optional<int> cgroup_cpu_limit(std::string const& root = "") {
  std::optional<int> limit;
  for (CgroupMount const& mount : cgroup_mounts(root)) {
    auto below = path_below_mount(mount, own_cgroup(root, mount.unified));
    if (!below) continue;
    for (;;) {
      limit = tighter_limit(limit, cgroup_quota(root + mount.point + *below, mount.unified));
      if (below->empty()) break;
      below->resize(below->rfind('/'));
    }
  }
  return limit;
}

/// `cgroup_cpu_limit()`, read anew at most about once a second: it opens several files, and every
/// call without `n_jobs` asks. Threads that find it stale at the same moment each read it; none
/// waits for another.
inline std::optional<int> cached_cgroup_cpu_limit() {
  // Milliseconds of the reading above, the limit (0: none) in the low 24 bits; 0: never read.
  // Constant-initialised and trivially destroyed, hence good before and after main.
  static std::atomic<std::uint64_t> packed{0};
  constexpr std::uint64_t limit_mask = (std::uint64_t{1} << 24) - 1;
  ::timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  std::uint64_t const now = static_cast<std::uint64_t>(time.tv_sec) * 1000 +
                            static_cast<std::uint64_t>(time.tv_nsec) / 1'000'000;
  std::uint64_t value = packed.load();
  // Another thread may have stored a later time than `now`: the difference wraps and it is read
  // again, which costs little and cannot happen often.
  if (value == 0 || now - (value >> 24) >= 1000) {
    auto const limit = static_cast<std::uint64_t>(cgroup_cpu_limit().value_or(0));
    value = now << 24 | (std::min)(limit, limit_mask);
    packed.store(value);
  }
  if ((value & limit_mask) == 0) return std::nullopt;
  return static_cast<int>(value & limit_mask);
}

/// Numbers of the CPUs the calling thread may run on; empty if the kernel does not tell.
inline std::vector<int> affinity_cpus() {
  // cpu_set_t alone ends at 1024 CPUs; the kernel refuses a set smaller than its own with EINVAL.
  for (std::size_t sets = 1; sets <= 1024; sets *= 2) {
    std::vector<cpu_set_t> mask(sets);
    std::size_t const bytes = sets * sizeof(cpu_set_t);
    if (::sched_getaffinity(0, bytes, mask.data()) != 0) {
      if (errno == EINVAL) continue;
      break;
    }
    std::vector<int> cpus;
    for (std::size_t cpu = 0; cpu < bytes * 8; ++cpu) {
      if (CPU_ISSET_S(cpu, bytes, mask.data())) cpus.push_back(static_cast<int>(cpu));
    }
    return cpus;
  }
  return {};
}

/// Number of distinct cores among `cpus`, from sysfs below `root`; empty if it cannot be read for
/// each of them. Reads three small files per CPU.
inline std::optional<int> physical_core_count(std::vector<int> const& cpus,
                                              std::string const& root = "") {
  std::vector<std::tuple<long long, long long, long long>> cores;
  for (int const cpu : cpus) {
    std::string const directory =
        root + "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
    auto const read = [&directory](char const* name) {
      return parse_integer(read_small_file(directory + name).value_or(""));
    };
    auto const package = read("physical_package_id");
    auto const core = read("core_id");
    if (!package || !core || *core < 0) return std::nullopt;  // -1: the firmware does not tell
    // Where a package has several dies, core numbers may repeat; old kernels have no die_id.
    cores.emplace_back(*package, read("die_id").value_or(0), *core);
  }
  if (cores.empty()) return std::nullopt;
  std::sort(cores.begin(), cores.end());
  return static_cast<int>(std::unique(cores.begin(), cores.end()) - cores.begin());
}

#endif  // defined(__linux__)

/// Number of CPUs of the machine that are online, at least 1.
inline int hardware_cpu_count() {
#if defined(__linux__)
  long const online = ::sysconf(_SC_NPROCESSORS_ONLN);
#else
  auto const online = static_cast<long>(std::thread::hardware_concurrency());
#endif
  return static_cast<int>(std::clamp(online, 1L, 1L << 24));
}

}  // namespace detail

inline namespace v1 {

/// Number of CPUs that can be used at the same time, at least 1: the least of the machine's CPUs,
/// the CPU affinity of the calling thread, the CPU quota of the process's cgroup and its ancestors
/// (versions 1 and 2, rounded up, noticed within about a second of a change) and the environment
/// variable `JOBLOT_MAX_CPU_COUNT`. Elsewhere than on Linux only the first and the last are known.
///
/// With `only_physical_cores`, threads of one core count once, unless one of these limits is below
/// the machine's number of CPUs: then that limit is the answer. Where the topology cannot be read,
/// it is the number of CPUs.
///
/// Throws `InvalidOption` if `JOBLOT_MAX_CPU_COUNT` is set to anything but a positive integer. May
/// be called from any thread, also before and after `main`.
inline int cpu_count(bool only_physical_cores = false) {
  int const hardware = detail::hardware_cpu_count();
  std::optional<int> limit = detail::environment_cpu_limit();
#if defined(__linux__)
  auto const cpus = detail::affinity_cpus();
  if (!cpus.empty()) limit = detail::tighter_limit(limit, static_cast<int>(cpus.size()));
  limit = detail::tighter_limit(limit, detail::cached_cgroup_cpu_limit());
#endif
  int const available = (std::min)(hardware, limit.value_or(hardware));
#if defined(__linux__)
  if (only_physical_cores && available == hardware) {
    return (std::min)(available, detail::physical_core_count(cpus).value_or(available));
  }
#else
  static_cast<void>(only_physical_cores);
#endif
  return available;
}

}  // namespace v1
}  // namespace joblot

#endif
