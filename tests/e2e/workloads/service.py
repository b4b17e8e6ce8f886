# SPDX-License-Identifier: Apache-2.0
"""A web service for gunicorn: `app`. Each request of / makes the system calls that SYSCALLS says."""
import os

import flask

app = flask.Flask(__name__)

SYSCALLS = {"getppid": 3, "openat": 1, "read": 1, "close": 1}


@app.route("/")
def target():
    os.getppid()
    text = load()
    os.getppid()
    return helper(text)


def load():
    fd = os.open(__file__, os.O_RDONLY)
    text = os.read(fd, 10)
    os.close(fd)
    return text


def helper(text):
    os.getppid()
    return flask.Response(text, mimetype="text/plain")
