# SPDX-License-Identifier: Apache-2.0
"""An asyncio server on a port of its own: answers each line with what it is in capitals. Ends with standard input."""
import asyncio
import sys

from workload import inside, say


def target(line):
    inside()
    return line.upper()


async def answer(reader, writer):
    while True:
        line = await reader.readline()
        if not line:
            break
        writer.write(target(line))
        await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    say(function="target", port=server.sockets[0].getsockname()[1])
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


asyncio.run(main())
