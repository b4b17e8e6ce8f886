# SPDX-License-Identifier: Apache-2.0
"""The agent inside each interpreter that tools/interpreters finds: every case of cases.py, one process each.

AGENT_SO: the agent to test; default build/agent/pydtrace-agent.so. Needs root for interpreters in another root only.
"""
import functools
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
AGENT = pathlib.Path(os.environ.get("AGENT_SO", ROOT / "build/agent/pydtrace-agent.so"))
FILES = [p.name for p in HERE.glob("*.py") if not p.name.startswith("test_")]


@functools.lru_cache(None)
def kit():
    """A folder with all that a case needs; copied into a root of its own where the interpreter has one."""
    d = pathlib.Path(tempfile.mkdtemp(prefix="pydtrace-agent-"))
    for name in FILES:
        shutil.copy(HERE / name, d)
    shutil.copy(AGENT, d / "agent.so")
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-I", ROOT / "agent", "-o", d / "counter.so", HERE / "counter.c"],
                   check=True)
    return d


class Interpreter:
    def __init__(self, version, path, root, kind):
        self.version, self.path, self.root, self.kind = version, path, root, kind

    def __str__(self):
        return f"{self.version}-{self.kind}"

    def run(self, *args, mail=False):
        d, argv = kit(), [self.path]
        if self.root != "/":
            inside = pathlib.Path(self.root, "tmp", d.name)
            if not inside.exists():
                shutil.copytree(d, inside)
            d, argv = pathlib.Path("/tmp", d.name), ["chroot", self.root, self.path]
        env = dict(os.environ, AGENT_SO=str(d / "agent.so"), COUNTER_SO=str(d / "counter.so"),
                   PYTHONDONTWRITEBYTECODE="1", AGENT_MAIL="1" if mail else "")
        return subprocess.run(argv + [str(d / "cases.py"), *args], env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=300)


@functools.lru_cache(None)
def interpreters():
    out = subprocess.run([ROOT / "tools/interpreters", "--list"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         text=True).stdout
    found = [Interpreter(*line.split("\t")) for line in out.splitlines()]
    return [i for i in found if i.root == "/" or os.geteuid() == 0]


def ways(interpreter):
    """(case, by mail?): what is about events is the same whichever way they go."""
    for line in interpreter.run("--list").stdout.splitlines():
        module, case = line.split()
        yield case, False
        if module in ("cases_calls", "cases_generators", "cases_life", "cases_weak"):
            yield case, True


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        rows = [(i, c, mail) for i in interpreters() for c, mail in ways(i)]
        metafunc.parametrize("interpreter,case,mail", rows,
                             ids=[f"{i}-{c}{'-mail' if mail else ''}" for i, c, mail in rows])


@pytest.fixture(scope="session", autouse=True)
def tidy():
    yield
    name = kit().name
    for i in interpreters():
        shutil.rmtree(pathlib.Path(i.root, "tmp", name), ignore_errors=True)


def test_case(interpreter, case, mail):
    done = interpreter.run(case, mail=mail)
    assert (done.returncode, done.stdout) == (0, f"ok {case}\n"), done.stdout


def test_needs_nothing():
    """It can be loaded beside any C library: nothing needed, no thread-local storage, no symbol but its own."""
    dynamic = subprocess.run(["readelf", "-dWlrs", AGENT], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert "NEEDED" not in dynamic
    assert " TLS " not in dynamic
    assert "INIT" not in dynamic and "FINI" not in dynamic
    kinds = {line.split()[2] for line in dynamic.splitlines() if "R_X86_64" in line}
    assert kinds == {"R_X86_64_RELATIVE"}
    symbols = subprocess.run(["nm", "-D", AGENT], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert sorted(s.split()[-1] for s in symbols.splitlines()) == [
        "pydtrace_agent_bury", "pydtrace_agent_close", "pydtrace_agent_fini", "pydtrace_agent_init",
        "pydtrace_site_entry", "pydtrace_site_return"]


def test_one_instruction_makes_all_system_calls():
    """By its place who watches the program's system calls tells ours (wire_mail.own_ip)."""
    code = subprocess.run(["objdump", "-d", AGENT], stdout=subprocess.PIPE, text=True, check=True).stdout
    calls = [line for line in code.splitlines() if re.search(r"\t(syscall|sysenter|int +\$0x80)", line)]
    assert len(calls) == 1
    body = code.split("<agent_syscall>:\n")[1].split("\n\n")[0]
    assert calls[0] in body


def test_sites_begin_with_the_nop():
    code = subprocess.run(["objdump", "-d", AGENT], stdout=subprocess.PIPE, text=True, check=True).stdout
    for site in ("pydtrace_site_entry", "pydtrace_site_return"):
        lines = code.split(f"<{site}>:\n")[1].splitlines()
        assert "0f 1f 44 00 00" in lines[0]
        assert int(lines[0].split(":")[0], 16) % 16 == 0
        assert "ret" in lines[1]


def test_unmatched_is_a_tail_call():
    """The evaluator must not leave a frame of its own on the stack, nor grow it."""
    code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", AGENT], stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    body = code.split("<evalframe_call>:\n")[1].split("\n\n")[0]
    assert "jmp    *" in body
    assert not re.search(r"\tcall\b|\scall\s", body)
