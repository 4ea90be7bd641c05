// SPDX-License-Identifier: MIT
// All of joblot.
#ifndef JOBLOT_JOBLOT_HPP
#define JOBLOT_JOBLOT_HPP

#include <joblot/backend.hpp>
#include <joblot/config.hpp>
#include <joblot/cpu_count.hpp>
#include <joblot/delayed.hpp>
#include <joblot/error.hpp>
#include <joblot/failure.hpp>
#include <joblot/generator.hpp>
#include <joblot/options.hpp>
#include <joblot/outcome.hpp>
#include <joblot/parallel.hpp>
#include <joblot/progress.hpp>
#include <joblot/range.hpp>
#include <joblot/register_exception.hpp>
#include <joblot/registry.hpp>
#include <joblot/serialization/by_value.hpp>
#include <joblot/serialization/shippable.hpp>
#include <joblot/task.hpp>
#include <joblot/this_task.hpp>
#include <joblot/version.hpp>

#endif
