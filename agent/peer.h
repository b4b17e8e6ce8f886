// SPDX-License-Identifier: Apache-2.0
/* How instances of the agent in one process know each other; for C and the assembler. */
#ifndef PYDTRACE_AGENT_PEER_H
#define PYDTRACE_AGENT_PEER_H

#define AGENT_PEER_MARK 0x316c617665647970 /* "pydeval1", before the frame evaluator */
#define AGENT_FILL_MARK 0x316c6c6966647970 /* "pydfill1", before what a new interpreter calls (interps.c) */
#define AGENT_TURN_MARK 0x316e727574647970 /* "pydturn1", before the evaluator for one call (inside.c) */

#endif
