#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random expressions, compiled and run by corpus_test, against what is known without our code generator.

Integers: an expression of variables equals the same expression of constants, which the front end folds (and its own
tests hold that against the C compiler). Text: what Python says that the Dynamic Tracing Guide's functions give.

usage: random_scripts.py CORPUS_TEST [FIRST_SEED [COUNT]]
"""
import random
import subprocess
import sys
import tempfile

TYPES = ["char", "unsigned char", "short", "unsigned short", "int", "unsigned int", "long long", "unsigned long long"]
EDGES = [0, 1, -1, 2, 3, 7, 127, 128, 255, 256, -128, 32767, 65535, 2**31 - 1, -(2**31), 2**32 - 1]
STRSIZE = 64


def integer(depth, names):
    """(text with variables, text with constants)"""
    if depth == 0 or random.random() < 0.1:
        return random.choice(names)

    def sub():
        return integer(depth - 1, names)

    form = random.choices(
        ["({0} %s {1})" % random.choice("+ - * & | ^ < <= > >= == != && || ^^".split()),
         "({0} %s ({1} | 1))" % random.choice("/%"), "({0} %s ({1} & 31))" % random.choice(["<<", ">>"]),
         "(%s{0})" % random.choice("~!-+"), "((%s){0})" % random.choice(TYPES), "({0} ? {1} : {2})"],
        [55, 10, 7, 12, 9, 7])[0].replace("%%", "%")
    parts = [sub(), sub(), sub()]
    return tuple(form.format(*(p[side] for p in parts)) for side in (0, 1))


def integers():
    scope = random.choice(["", "self", "this"])
    prefix = scope + "->" if scope else ""
    names, lines, first = [], [], []
    for i, kind in enumerate(TYPES):
        value = random.choice(EDGES + [random.randint(-(2**31), 2**31 - 1), random.randint(0, 2**62)])
        lines.append(f"{scope} {kind} v{i};")
        first.append(f"{prefix}v{i} = ({kind}){value};")
        names.append((f"{prefix}v{i}", f"(({kind}){value})"))
    lines.append("BEGIN { %s }" % " ".join(first))
    for depth in (2, 3, 4, 4, 5, 6, 7):
        live, folded = integer(depth, names)
        lines.append("BEGIN { trace((%s) == (%s)); } /*! expect 1 */" % (live, folded))
    return lines


def cut(s):
    return s[: STRSIZE - 1]


def text():
    return cut("".join(random.choices("ab/c", k=random.choice([0, 1, 3, 7, 8, 9, 15, 16, 20, 40, 62, 63, 70]))))


def basename(s):
    if not s:
        return "."
    return s.rstrip("/").split("/")[-1] or "/"


def dirname(s):
    if not s:
        return "."
    s = s.rstrip("/")
    if not s:
        return "/"
    return s[: s.rindex("/")].rstrip("/") or "/" if "/" in s else "."


def substr(s, index, n=STRSIZE):
    if index < 0:
        index += len(s)
        if index < 0 < index + n:
            index, n = 0, n + index
    if index < 0 or index >= len(s):
        return ""
    return s[index : len(s) + n if n < 0 else index + n] if n < 0 or n > 0 else ""


def index_of(s, part, start=0):
    if not s and not part:
        return 0
    at = s.find(part, max(start, 0))
    return at if at < len(s) else -1


def strings():
    values = [text() for _ in range(4)]
    lines = [f"/*! opt strsize {STRSIZE} */", "BEGIN { %s }" % " ".join(f's{i} = "{v}";' for i, v in enumerate(values))]
    for _ in range(14):
        (a, x), (b, y) = random.choices(list(enumerate(values)), k=2)
        part = text()[: random.choice([1, 2, 3, 9])] or "a"
        i, n = random.randint(-70, 70), random.randint(-70, 70)
        call, want = random.choice([
            (f"strjoin(s{a}, s{b})", cut(x + y)), (f"substr(s{a}, {i})", substr(x, i)),
            (f"substr(s{a}, {i}, {n})", substr(x, i, n)), (f"index(s{a}, s{b})", index_of(x, y)),
            (f'index(s{a}, "{part}")', index_of(x, part)), (f'index(s{a}, "{part}", {i})', index_of(x, part, i)),
            (f'strstr(s{a}, "{part}")', x[x.find(part):] if part in x else ""), (f"basename(s{a})", basename(x)),
            (f"dirname(s{a})", dirname(x)), (f"strlen(s{a})", len(x)), (f"s{a} < s{b}", int(x < y)),
            (f'strjoin(s{a}, "x") == strjoin(s{b}, "x")', int(cut(x + "x") == cut(y + "x"))),
            (f's{a} >= "{part}"', int(x >= part)),
        ])
        shown = f"'{want}'" if isinstance(want, str) else want
        lines.append("BEGIN { trace(%s); } /*! expect %s */" % (call, shown))
    return lines


def main():
    first, count = (int(a) for a in (sys.argv[2:] + ["1", "12"])[:2]) if len(sys.argv) > 2 else (1, 12)
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, first + count):
            random.seed(seed)
            for make in (integers, strings):
                with open(f"{folder}/{make.__name__}{seed}.d", "w", encoding="ascii") as f:
                    f.write("\n".join(make()) + "\n")
        return subprocess.run([sys.argv[1], folder], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
