// SPDX-License-Identifier: Apache-2.0
/* The state that all of the agent shares: the ground floor. */
#include "agent_impl.h"

struct agent agent;
