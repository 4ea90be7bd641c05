// SPDX-License-Identifier: MIT
// Empty: it gives the shared precompiled header a target to belong to.
