# SPDX-License-Identifier: Apache-2.0
"""HTTP by asyncio's streams, one connection for each request."""
import asyncio
import os
import sys

import counter


def target(path):
    counter.count()
    return counter.square(path)


async def answer(reader, writer):
    path = (await reader.readline()).split()[1].decode()
    while (await reader.readline()).strip():
        pass
    body = target(path)
    await asyncio.sleep(0)
    writer.write(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body)).encode())
    await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    counter.say({"pids": [os.getpid()], "port": server.sockets[0].getsockname()[1]})
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


asyncio.run(main())
