// SPDX-License-Identifier: MIT
// What a backend is: whoever brings threads to a call.
#ifndef JOBLOT_BACKEND_HPP
#define JOBLOT_BACKEND_HPP

#include <memory>
#include <string_view>

#include <joblot/call.hpp>

namespace joblot {
inline namespace v1 {

/// Brings workers to calls. To add one, implement this and give it to `Options::backend`, or to
/// `register_parallel_backend` under a name. `joblot/testing.hpp` checks that it keeps the rules.
/// All members may be called from several threads at once.
class Backend {
 public:
  virtual ~Backend() = default;

  /// As in the verbose line: "LokyBackend".
  [[nodiscard]] virtual std::string_view name() const = 0;

  /// How many workers a call gets that asked for `asked` (>= 1), the caller included; >= 1.
  [[nodiscard]] virtual int effective_n_jobs(int asked) const { return asked; }

  /// Whether tasks see and change the caller's memory.
  [[nodiscard]] virtual bool shares_memory() const { return true; }

  /// Whether tasks run in worker processes of the library, one for each seat. For its own backends:
  /// the threads that `start` brings then see to the workers.
  [[nodiscard]] virtual bool runs_in_worker_processes() const { return false; }

  /// Whether those are forked for each call, so that they inherit its tasks.
  [[nodiscard]] virtual bool forks_workers() const { return false; }

  /// Arranges that `call->work(w)` runs once for each w in 1 .. call->n_jobs()-1, each on a thread
  /// of its own, and returns without waiting (w = 0 is the caller's). A backend that cannot give
  /// all of them gives fewer; it lets go of `call` when it will give no more. What it throws fails
  /// the call.
  virtual void start(std::shared_ptr<Call> call) = 0;

 protected:
  Backend() = default;
  Backend(Backend const&) = default;
  Backend& operator=(Backend const&) = default;
};

}  // namespace v1
}  // namespace joblot

#endif
