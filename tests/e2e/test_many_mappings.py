# SPDX-License-Identifier: Apache-2.0
"""A memory map may be as long as the target likes: it takes little memory and time, or is refused with the reason."""
import fcntl
import os
import re
import shutil
import struct
import tempfile

import pytest

import harness
from conftest import only

executor = only("vm")
PYTHON = "/usr/bin/python3"
SCRIPT = ["-q", "-n", 'BEGIN { printf("on\\n"); } python$1:::function-entry /copyinstr(arg1) == "target"/ { n++; } '
          'END { printf("calls: %d\\n", n); }']
PEAK_KB = 32 << 10

# Maps FILES files with names of LENGTH bytes, MAPPINGS times altogether, no two neighbours alike.
TARGET = """
import ctypes, json, os, sys
folder, length, files, mappings = sys.argv[1], *map(int, sys.argv[2:])
mmap = ctypes.CDLL(None, use_errno=True).mmap
mmap.restype, mmap.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_size_t] + 3 * [ctypes.c_int] + [ctypes.c_long]
length -= len(folder) + len("/00000")
while length > 1:
    name = "n" * min(length - 1, 200)
    folder += "/" + name
    os.mkdir(folder)
    length -= 1 + len(name)
for i in range(files):
    with open("%s/%05d" % (folder, i), "w+") as f:
        f.truncate(4096)
        for n in range(mappings // files):
            if mmap(None, 4096, 1 + n % 2 * 2, 2, f.fileno(), 0) == 2 ** 64 - 1:
                raise OSError(ctypes.get_errno(), "mmap")
def target(n):
    return n + 1
print(json.dumps({"function": "target"}), flush=True)
for line in sys.stdin:
    print(json.dumps({"calls": target(0)}), flush=True)
"""


# An ELF file whose dynamic section has no end; mapped so many times that looking through all of them takes long.
IMAGES = """
import json, mmap, struct, sys
HEADER = b"\\x7fELF\\x02\\x01\\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
LOAD = struct.pack("<IIQQQQQQ", 1, 4, 0, 0, 0, 16384, 16384, 4096)
DYNAMIC = struct.pack("<IIQQQQQQ", 2, 4, 4096, 4096, 4096, 12288, 12288, 8)
kept = []
for name in "ab":
    with open(sys.argv[1] + "/" + name, "w+b") as f:
        f.write((HEADER + LOAD + DYNAMIC).ljust(4096, b"\\0") + struct.pack("<QQ", 0x6ffffef0, 1) * 768)
for _ in range(int(sys.argv[2])):
    for name in "ab":
        with open(sys.argv[1] + "/" + name, "rb") as f:
            kept.append(mmap.mmap(f.fileno(), 16384, mmap.MAP_PRIVATE, mmap.PROT_READ))
def target(n):
    return n + 1
print(json.dumps({"function": "target"}), flush=True)
for line in sys.stdin:
    print(json.dumps({"calls": target(0)}), flush=True)
"""


@pytest.fixture
def target(start):
    folders = []

    def target(*numbers, code=TARGET):
        folders.append(tempfile.mkdtemp(prefix="pydtrace-", dir="/tmp"))
        return start([PYTHON, "-I", "-c", code, folders[-1], *map(str, numbers)], cwd="/")

    yield target
    for folder in folders:
        shutil.rmtree(folder)


def peak_kb(pid):
    """The most memory that a process has had so far."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return int(re.search(r"^VmHWM:\s+(\d+) kB$", f.read(), re.M).group(1))


def answers_one_by_one():
    """Can the kernel be asked for one mapping after the other (PROCMAP_QUERY, Linux 6.11)?"""
    query = struct.pack("<9Q4I2Q", 104, 0x10, *[0] * 13)
    with open("/proc/self/maps", "rb") as f:
        try:
            fcntl.ioctl(f, 3 << 30 | len(query) << 16 | ord("f") << 8 | 17, query)
            return True
        except OSError:
            return False


def test_many_with_long_names(target, pydtrace):
    """Each as a line of /proc/PID/maps they are 45 MB, which was read ten times."""
    it = target(1500, 4, 30000)
    if not answers_one_by_one():
        done = harness.run("-x", "exec=vm", *SCRIPT, it.pid)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (f"pydtrace: process {it.pid} (python3): its memory map is longer than 16 MB, which is more than "
                               "pydtrace reads\n")
        it.kill()
        return
    tracer = pydtrace(*SCRIPT, it.pid).wait_said("on\n")
    assert it.work() == {"calls": 1}
    assert peak_kb(tracer.process.pid) < PEAK_KB
    tracer.stop()
    assert (tracer.status, tracer.err) == (0, "")
    assert tracer.number("calls") == 1
    it.kill()


def test_too_long_names(target):
    it = target(3900, 2300, 2300)
    done = harness.run("-x", "exec=vm", *SCRIPT, it.pid)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (f"pydtrace: process {it.pid} (python3) has mapped files whose names are longer than 8 MB together, which is more "
                   "than pydtrace reads\n")
    assert it.work() == {"calls": 1}
    it.kill()


def test_images_without_end(target, pydtrace):
    it = target(1200, code=IMAGES)
    done = harness.run("-x", "exec=vm", *SCRIPT, it.pid)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (f"pydtrace: process {it.pid} (python3) has mapped too many ELF images, or such that look-ups in them do not "
                           "end\n")
    it.kill()
    it = target(100, code=IMAGES)
    tracer = pydtrace(*SCRIPT, it.pid).wait_said("on\n")
    assert it.work() == {"calls": 1}
    assert tracer.stop().number("calls") == 1
    it.kill()


def test_too_many(target):
    """Twice as many as the kernel allows by default: only where somebody has allowed more."""
    with open("/proc/sys/vm/max_map_count", encoding="ascii") as f:
        allowed = int(f.read())
    if allowed < 140000:
        if os.geteuid():
            pytest.skip("vm.max_map_count is below 140000, and we may not raise it")
        try:
            with open("/proc/sys/vm/max_map_count", "w", encoding="ascii") as f:
                f.write("140000")
        except OSError as error:
            pytest.skip(f"vm.max_map_count cannot be raised: {error}")
    try:
        it = target(100, 8, 132000)
        done = harness.run("-x", "exec=vm", *SCRIPT, it.pid)
    finally:
        if allowed < 140000:
            with open("/proc/sys/vm/max_map_count", "w", encoding="ascii") as f:
                f.write(str(allowed))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (f"pydtrace: process {it.pid} (python3) has more than 131072 mappings, which is more than pydtrace reads\n")
    assert it.work() == {"calls": 1}
    it.kill()
