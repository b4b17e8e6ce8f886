// SPDX-License-Identifier: Apache-2.0
/* How instances of the agent in one process know each other; for C and the assembler. */
#ifndef PYDTRACE_AGENT_PEER_H
#define PYDTRACE_AGENT_PEER_H

#define AGENT_PEER_MARK 0x316c617665647970 /* "pydeval1", before the frame evaluator */

#endif
