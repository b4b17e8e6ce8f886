# SPDX-License-Identifier: Apache-2.0
"""http.server with a thread for each connection."""
import http.server
import os
import sys
import threading

import counter


def target(path):
    counter.count()
    return counter.square(path)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = target(self.path).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
counter.say({"pids": [os.getpid()], "port": server.server_address[1]})
sys.stdin.read()
server.shutdown()
