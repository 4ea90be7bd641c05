// SPDX-License-Identifier: MIT
// Nothing: a precompiled header needs a unit it belongs to.
