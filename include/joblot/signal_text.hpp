// SPDX-License-Identifier: MIT
// Signals as a person would name them.
#ifndef JOBLOT_SIGNAL_TEXT_HPP
#define JOBLOT_SIGNAL_TEXT_HPP

#include <csignal>
#include <string>

namespace joblot::detail {

/// What glibc says about a signal; null for one without a name. Not `strsignal`: it translates,
/// and the text it returns may be another thread's.
constexpr char const* signal_description(int signal) noexcept {
  switch (signal) {
    case SIGABRT:
      return "Aborted";
    case SIGFPE:
      return "Floating point exception";
    case SIGILL:
      return "Illegal instruction";
    case SIGINT:
      return "Interrupt";
    case SIGSEGV:
      return "Segmentation fault";
    case SIGTERM:
      return "Terminated";
#if defined(__unix__) || defined(__APPLE__)
    case SIGALRM:
      return "Alarm clock";
    case SIGBUS:
      return "Bus error";
    case SIGHUP:
      return "Hangup";
    case SIGKILL:
      return "Killed";
    case SIGPIPE:
      return "Broken pipe";
    case SIGQUIT:
      return "Quit";
    case SIGSYS:
      return "Bad system call";
    case SIGTRAP:
      return "Trace/breakpoint trap";
    case SIGUSR1:
      return "User defined signal 1";
    case SIGUSR2:
      return "User defined signal 2";
    case SIGXCPU:
      return "CPU time limit exceeded";
    case SIGXFSZ:
      return "File size limit exceeded";
#endif
    default:
      return nullptr;
  }
}

/// Such as "signal 11 (Segmentation fault)"; only the number if the signal has no name.
inline std::string signal_text(int signal) {
  auto const* const description = signal_description(signal);
  auto const number = "signal " + std::to_string(signal);
  return description != nullptr ? number + " (" + description + ')' : number;
}

}  // namespace joblot::detail

#endif
