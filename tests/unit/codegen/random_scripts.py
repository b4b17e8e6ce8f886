#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random expressions, compiled and run by corpus_test, against what is known without our code generator.

Integers: computed here with C's types; unsigned ones wrap, signed ones keep what outgrows them. Text: what Python says that the Dynamic Tracing
Guide's functions give.

usage: random_scripts.py CORPUS_TEST [FIRST_SEED [COUNT]]
"""
import random
import subprocess
import sys
import tempfile

TYPES = {"char": (1, True), "unsigned char": (1, False), "short": (2, True), "unsigned short": (2, False),
         "int": (4, True), "unsigned int": (4, False), "long long": (8, True), "unsigned long long": (8, False)}
INT = (4, True)
EDGES = [0, 1, -1, 2, 3, 7, 127, 128, 255, 256, -128, 32767, 65535, 2**31 - 1, -(2**31), 2**32 - 1]
STRSIZE = 64


def wrap(value, kind):
    bits, signed = 8 * kind[0], kind[1]
    value &= (1 << bits) - 1
    return value - (1 << bits) if signed and value >> (bits - 1) else value


def kept(value, kind):
    """A value as an operand or result of type `kind`: a signed one grows until it is stored or cast."""
    return wrap(value, (8, True) if kind[1] else kind)


def promoted(kind):
    return kind if kind[0] >= 4 else INT


def common(a, b):
    """C's usual arithmetic conversions."""
    a, b = promoted(a), promoted(b)
    if a[0] != b[0]:
        return max(a, b)
    return (a[0], a[1] and b[1])


def divide(x, y):
    q = abs(x) // abs(y)
    return -q if (x < 0) != (y < 0) else q


ARITH = {"+": lambda x, y: x + y, "-": lambda x, y: x - y, "*": lambda x, y: x * y, "&": lambda x, y: x & y,
         "|": lambda x, y: x | y, "^": lambda x, y: x ^ y, "/": divide, "%": lambda x, y: x - y * divide(x, y)}
COMPARE = {"<": lambda x, y: x < y, "<=": lambda x, y: x <= y, ">": lambda x, y: x > y, ">=": lambda x, y: x >= y,
           "==": lambda x, y: x == y, "!=": lambda x, y: x != y}
LOGIC = {"&&": lambda x, y: x and y, "||": lambda x, y: x or y, "^^": lambda x, y: bool(x) != bool(y)}
UNARY = {"~": lambda x: ~x, "-": lambda x: -x, "+": lambda x: x}


def binary(op, a, b):
    kind = common(a[2], b[2])
    x, y = kept(a[1], kind), kept(b[1], kind)
    text = f"({a[0]} {op} {b[0]})"
    if op in ARITH:
        return text, kept(ARITH[op](x, y), kind), kind
    result = COMPARE[op](x, y) if op in COMPARE else LOGIC[op](a[1], b[1])
    return text, int(bool(result)), INT


def shift(op, a, b):
    kind, n = promoted(a[2]), b[1] & 31
    x = kept(a[1], kind)
    return f"({a[0]} {op} ({b[0]} & 31))", kept(x << n if op == "<<" else x >> n, kind), kind


def integer(depth, names):
    """(text, value, type)"""
    if depth == 0 or random.random() < 0.1:
        return random.choice(names)
    a, b, c = (integer(depth - 1, names) for _ in range(3))
    form = random.choices(["binary", "divide", "shift", "unary", "not", "cast", "cond"], [55, 10, 7, 9, 3, 9, 7])[0]
    if form == "binary":
        return binary(random.choice([op for op in [*ARITH, *COMPARE, *LOGIC] if op not in "/%"]), a, b)
    if form == "divide":
        return binary(random.choice("/%"), a, binary("|", b, ("1", 1, INT)))
    if form == "shift":
        return shift(random.choice(["<<", ">>"]), a, b)
    if form == "unary":
        op, kind = random.choice("~-+"), promoted(a[2])
        return f"({op}{a[0]})", kept(UNARY[op](kept(a[1], kind)), kind), kind
    if form == "not":
        return f"(!{a[0]})", int(not a[1]), INT
    if form == "cast":
        name = random.choice(list(TYPES))
        return f"(({name}){a[0]})", wrap(a[1], TYPES[name]), TYPES[name]
    kind = common(b[2], c[2])
    return f"({a[0]} ? {b[0]} : {c[0]})", kept((b if a[1] else c)[1], kind), kind


def integers():
    scope = random.choice(["", "self", "this"])
    prefix = scope + "->" if scope else ""
    names, lines, first = [], [], []
    for i, (name, kind) in enumerate(TYPES.items()):
        value = wrap(random.choice(EDGES + [random.randint(-(2**31), 2**31 - 1), random.randint(0, 2**62)]), kind)
        lines.append(f"{scope} {name} v{i};")
        first.append(f"{prefix}v{i} = {value};")
        names.append((f"{prefix}v{i}", value, kind))
    lines.append("BEGIN { %s }" % " ".join(first))
    for depth in (2, 3, 4, 4, 5, 6, 7):
        text, value, _ = integer(depth, names)
        lines.append("BEGIN { trace((long long)%s); } /*! expect %d */" % (text, wrap(value, (8, True))))
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
    end = len(s) + n if n < 0 else index + n
    return s[index : max(end, index)]


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
