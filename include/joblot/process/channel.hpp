// SPDX-License-Identifier: MIT
// A channel between a parent process and a worker: one end for each.
#ifndef JOBLOT_PROCESS_CHANNEL_HPP
#define JOBLOT_PROCESS_CHANNEL_HPP

#include <joblot/process/parent_end.hpp>
#include <joblot/process/worker_end.hpp>

#endif
