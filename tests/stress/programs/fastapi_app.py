# SPDX-License-Identifier: Apache-2.0
"""For uvicorn."""
import fastapi
import fastapi.responses

import counter

app = fastapi.FastAPI()


@app.get("/{number}")
async def answer(number):
    return fastapi.responses.PlainTextResponse(target(number))


def target(number):
    counter.count()
    return counter.square(number)
