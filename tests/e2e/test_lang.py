# SPDX-License-Identifier: Apache-2.0
"""The language: each lang/NAME.d prints lang/NAME.out, whoever runs it.

The first comment of a script may be `flags: ...`, `args: ...` or `status: N`. In .out the number of a CPU is the word CPU.
"""
import re

import pytest

import harness

LANG = harness.HERE / "lang"
SCRIPTS = sorted(path.stem for path in LANG.glob("*.d"))


def said_in(text, what):
    found = re.search(rf"^/\* {what}: (.*?) \*/", text, re.M)
    return found[1].split() if found else []


@pytest.mark.parametrize("script", SCRIPTS)
def test_prints(script, executor):
    path = LANG / f"{script}.d"
    text = path.read_text(encoding="utf-8")
    done = harness.run(*said_in(text, "flags"), "-x", f"exec={executor}", "-s", path, *said_in(text, "args"))
    out = re.sub(r"^ {0,2}\d{1,3}( +\d+ +:| [|] )", r"CPU\1", done.stdout, flags=re.M)
    status = said_in(text, "status") or ["0"]
    assert (out, done.returncode) == ((LANG / f"{script}.out").read_text(encoding="utf-8"), int(status[0])), done.stderr
