# SPDX-License-Identifier: Apache-2.0
"""For mod_wsgi."""
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
import counter  # noqa: E402


def target(path):
    counter.count()
    return counter.square(path)


def application(environ, start_response):
    body = target(environ["PATH_INFO"]).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
