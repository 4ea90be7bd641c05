// SPDX-License-Identifier: MIT
// The least that a worker can do: calls `long(long)` functions that its parent names.
#ifndef JOBLOT_TESTS_PROCESS_TOY_WORKER_HPP
#define JOBLOT_TESTS_PROCESS_TOY_WORKER_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

#include <joblot/error.hpp>
#include <joblot/process/child.hpp>
#include <joblot/process/entry.hpp>
#include <joblot/process/spawn.hpp>
#include <joblot/process/worker_start.hpp>
#include <joblot/serialization/code_identity.hpp>

namespace toy {

struct Request {
  std::uint64_t type_hash = 0;
  long argument = 0;
};

inline long answer(std::span<std::byte const> message) {
  Request request;
  std::memcpy(&request, message.data(), sizeof request);
  message = message.subspan(sizeof request);
  auto const identity = joblot::detail::CodeIdentity::read_from(message);
  auto const& entry = joblot::detail::resolve_entry<long(long)>(identity, request.type_hash);
  return entry.run(request.argument);
}

/// The parent's side.
class Worker {
 public:
  explicit Worker(std::vector<std::string> const& environment = {},
                  std::vector<int> const& more_fds = {})
      : Worker(make_sockets(), environment, more_fds) {}
  Worker(Worker&&) = delete;
  ~Worker() { hang_up(); }

  /// `function(argument)` in the worker; -1 if it has ended.
  template <auto function>
  long call(long argument) {
    send<function>(argument);
    long result = -1;
    return ::recv(socket_, &result, sizeof result, 0) == sizeof result ? result : -1;
  }

  template <auto function>
  void send(long argument) {
    auto const& entry = joblot::detail::entry_for<function>;
    Request const request{entry.type_hash, argument};
    std::vector<std::byte> bytes(sizeof request);
    std::memcpy(bytes.data(), &request, sizeof request);
    joblot::detail::identify(&entry).append_to(bytes);
    static_cast<void>(!::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
  }

  joblot::detail::Child& child() { return child_; }

  /// Lets it go and waits for its end.
  joblot::detail::ExitStatus finish() {
    hang_up();
    return child_.wait();
  }

 private:
  using Sockets = std::array<int, 2>;

  static Sockets make_sockets() {
    Sockets result{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, result.data()) != 0) std::abort();
    return result;
  }

  Worker(Sockets sockets, std::vector<std::string> const& environment,
         std::vector<int> const& more_fds)
      : socket_(sockets[0]), child_(start(sockets, environment, more_fds)) {}

  static pid_t start(Sockets sockets, std::vector<std::string> const& environment,
                     std::vector<int> const& more_fds) {
    std::vector<int> fds{sockets[1]};
    fds.insert(fds.end(), more_fds.begin(), more_fds.end());
    try {
      auto const pid = joblot::detail::spawn_self(fds, environment);
      ::close(sockets[1]);
      return pid;
    } catch (...) {
      for (int const socket : sockets) ::close(socket);
      throw;
    }
  }

  void hang_up() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }

  int socket_;
  joblot::detail::Child child_;
};

}  // namespace toy

/// The worker's side.
inline void joblot::detail::run_worker(int socket_fd) {
  joblot::detail::guard_against_orphanhood(joblot::detail::worker_start.parent);
  std::array<std::byte, 8192> buffer{};
  for (;;) {
    auto const size = ::recv(socket_fd, buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) std::exit(0);
    try {
      long const result = toy::answer(std::span(buffer).first(static_cast<std::size_t>(size)));
      static_cast<void>(!::send(socket_fd, &result, sizeof result, MSG_NOSIGNAL));
    } catch (joblot::Error const& error) {
      static_cast<void>(!::write(2, error.what(), std::strlen(error.what())));
      std::exit(1);
    }
  }
}

#endif
