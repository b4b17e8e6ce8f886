# SPDX-License-Identifier: Apache-2.0
"""For gunicorn."""
import flask

import counter

app = flask.Flask(__name__)


@app.route("/<number>")
def target(number):
    counter.count()
    return flask.Response(counter.square(number), mimetype="text/plain")
