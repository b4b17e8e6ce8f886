# SPDX-License-Identifier: Apache-2.0
"""The applications: each is started in a folder of its own, says which processes may be traced, answers, and is stopped.

An application's `ask(n)` sends it one piece of work and raises Wrong when the answer is not what the arithmetic says. Each piece
calls the Python function target() `calls` times, and each call leaves one record in the file `count` (programs/counter.py).
"""
import http.client
import json
import os
import pathlib
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
import harness  # noqa: E402

PROGRAMS = pathlib.Path(__file__).resolve().parent / "programs"
PATIENCE = 30  # seconds until an answer that has not come is taken for one that never will
CALLS = 20  # as in programs/counter.py


class Wrong(Exception):
    """The application has given a wrong answer, or none."""


def squares(n):
    return sum(number ** 2 for number in range(n, n + CALLS))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def children(pid):
    return [int(child) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text(encoding="ascii").split()]


class Pipe:
    """A program that answers each line of its input by one of its output."""

    def __init__(self, argv, **popen):
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **popen)
        self.rest = b""

    def hear(self):
        deadline = time.monotonic() + PATIENCE
        while b"\n" not in self.rest:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise Wrong(f"process {self.process.pid} has said nothing for {PATIENCE} s")
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                raise Wrong(f"process {self.process.pid} has ended with status {self.process.wait()}")
            self.rest += more
        line, _, self.rest = self.rest.partition(b"\n")
        return json.loads(line)

    def tell(self, text):
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def end(self):
        """Its input ends, and so does it, with status 0."""
        self.process.stdin.close()
        status = self.process.wait(PATIENCE)
        if status:
            raise Wrong(f"process {self.process.pid} ended with status {status}")


def get(port, n):
    """One request, and its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", f"/{n}")
        answer = connection.getresponse()
        said = answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise Wrong(f"request /{n}: {error!r}") from None
    finally:
        connection.close()
    if said != (200, str(n ** 2).encode()):
        raise Wrong(f"request /{n} was answered by {said}")


class App:
    """What all have: a folder with the programs in it, processes that were started, and what may be traced."""

    module = "__main__"  # of target()
    clients = 1  # that ask at the same time
    calls = CALLS
    left_out = None  # why it is a row only where --app names it
    stays = None  # what a tracer may say for not having taken its agent out, where that is known to happen
    refused = None  # what a tracer may say for not attaching, where that is known to happen

    def __init__(self, interpreter):
        self.interpreter = interpreter
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="stress-", dir="/tmp"))
        self.folder.chmod(0o777)  # Apache's workers are another user's
        for program in PROGRAMS.glob("*.py"):
            shutil.copy(program, self.folder)
        (self.folder / "count").touch()
        (self.folder / "count").chmod(0o666)
        self.log = open(self.folder / "log", "w+b")
        self.started = []
        self.pids = []

    def run(self, argv, **env):
        """Start a server of Debian's in the folder."""
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(self.folder),
               "OPENBLAS_NUM_THREADS": "1", **env}
        self.started.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                             cwd=self.folder, env=env, start_new_session=True))
        return self.started[-1].pid

    def program(self, name, **env):
        """Start a program of the folder that talks by pipe, and hear what it says first."""
        argv = self.interpreter.argv(name, folder=self.folder)
        shared = pathlib.Path(self.interpreter.root, "dev/shm")
        if self.interpreter.root != "/" and shared.is_dir():  # for semaphores: glibc before 2.32 wants a tmpfs there
            mount = 'mount -t tmpfs none "$0" && exec "$@"'
            argv = [*harness.own_mounts(self.interpreter.root), "sh", "-c", mount, str(shared), *argv]
        pipe = Pipe(argv, stderr=self.log, start_new_session=True,
                    env={**os.environ, "OPENBLAS_NUM_THREADS": "1", **env})
        self.started.append(pipe.process)
        return pipe, pipe.hear()

    def until(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if condition():
                return
            time.sleep(0.02)
        raise Wrong(f"waited {PATIENCE} s for {what}; its log: {self.tail()}")

    def answers(self):
        try:
            self.ask(1)
            return True
        except Wrong:
            return False

    def tail(self):
        return (self.folder / "log").read_bytes()[-2000:].decode("utf-8", "replace")

    def ask(self, n):
        raise NotImplementedError

    def finish(self):
        """End it in its own way, where it has one; raises Wrong when it does not end well."""

    def stop(self):
        """Nothing of it is left, whatever state it is in."""
        for process in reversed(self.started):
            try:
                os.killpg(process.pid, 9)
            except OSError:
                pass
            process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Asked(App):
    """One of programs/ that is asked by pipe."""

    file = None

    def start(self):
        self.pipe, said = self.program(self.file)
        self.pids = said["pids"] if self.pipe.process.pid in said["pids"] else [self.pipe.process.pid, *said["pids"]]

    def ask(self, n):
        self.pipe.tell(str(n))
        said = self.pipe.hear()
        if said != squares(n):
            raise Wrong(f"question {n} was answered by {said}, not by {squares(n)}")

    def finish(self):
        self.pipe.end()


class Pool(Asked):
    name, file = "pool", "pool.py"


class Sqlite(Asked):
    name, file = "sqlite", "sqlite_threads.py"


class Numpy(Asked):
    name, file = "numpy", "numpy_loop.py"


class Served(App):
    """HTTP on the port `self.port`."""

    clients, calls = 2, 1

    def ask(self, n):
        get(self.port, n)


class ServedHere(Served):
    """One of programs/ that is a server by itself."""

    file = None

    def start(self):
        self.pipe, said = self.program(self.file)
        self.port, self.pids = said["port"], said["pids"]

    def finish(self):
        self.pipe.end()


class Asyncio(ServedHere):
    name, file = "asyncio", "asyncio_server.py"


class HttpThreads(ServedHere):
    name, file = "http.server", "http_threads.py"


class Gunicorn(Served):
    name, module = "gunicorn+flask", "flask_app"

    def start(self):
        self.port = free_port()
        master = self.run(["gunicorn", "-w", "2", "-b", f"127.0.0.1:{self.port}", "--log-level", "error", "flask_app:app"])
        self.until(self.answers, "gunicorn to answer")
        self.until(lambda: len(children(master)) == 2, "gunicorn's workers")
        self.pids = children(master)


class Uvicorn(Served):
    name, module = "uvicorn+fastapi", "fastapi_app"

    def start(self):
        self.port = free_port()
        self.pids = [self.run(["uvicorn", "--port", str(self.port), "--log-level", "error", "--app-dir", str(self.folder),
                               "fastapi_app:app"])]
        self.until(self.answers, "uvicorn to answer")


APACHE = """
ServerRoot {folder}
ServerName localhost
PidFile {folder}/httpd.pid
DefaultRuntimeDir {folder}
ErrorLog {folder}/log
User www-data
Group www-data
Listen 127.0.0.1:{port}
LoadModule mpm_prefork_module {modules}/mod_mpm_prefork.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule wsgi_module {modules}/mod_wsgi.so
StartServers 2
MinSpareServers 1
MaxSpareServers 2
MaxRequestWorkers 2
MaxConnectionsPerChild 0
{more}
WSGIScriptAlias / {folder}/wsgi_app.py
<Directory {folder}>
	Require all granted
</Directory>
"""


class ModWsgi(Served):
    """In its default configuration, which runs the application in a sub-interpreter."""

    name, module = "mod_wsgi", "_mod_wsgi*"
    more = ""
    left_out = ("an idle worker never comes back to Python, and with sub-interpreters it cannot be told whether a thread holds the GIL: "
                "what is refused there, and what stays, is a matter of chance")
    refused = r"."
    stays = r"did not come to a safe point in time"

    def start(self):
        self.port = free_port()
        (self.folder / "httpd.conf").write_text(APACHE.format(folder=self.folder, port=self.port, more=self.more,
                                                              modules="/usr/lib/apache2/modules"), encoding="utf-8")
        master = self.run(["apache2", "-DFOREGROUND", "-f", str(self.folder / "httpd.conf")])
        self.until(self.answers, "apache2 to answer")
        self.until(lambda: len(children(master)) == 2, "apache2's workers")
        self.pids = children(master)


class ModWsgiMain(ModWsgi):
    """In the main interpreter, as the applications do that have extension modules which know no other."""

    name = "mod_wsgi, global"
    more = "WSGIApplicationGroup %{GLOBAL}"
    left_out = refused = stays = None


class Celery(App):
    name, module = "celery+redis", "tasks"

    def start(self):
        broker = str(self.folder / "redis")
        # Of the package redis-tools, and by this name the server: the package redis-server would start one for good.
        self.run(["bash", "-c", 'exec -a redis-server redis-check-rdb --port 0 --unixsocket "$1" --save "" --appendonly no', "sh",
                  broker])
        self.until(lambda: os.path.exists(broker), "redis")
        worker = self.run(["python3", "-m", "celery", "-A", "tasks", "worker", "-c", "2", "-P", "prefork", "--without-gossip",
                           "--without-mingle", "--without-heartbeat", "-l", "error"], STRESS_REDIS=broker, C_FORCE_ROOT="1")
        self.pipe, _ = self.program("tasks_client.py", STRESS_REDIS=broker)
        self.ask(1)
        self.until(lambda: len(children(worker)) == 2, "Celery's workers")
        self.pids = [worker, *children(worker)]

    def ask(self, n):
        self.pipe.tell(str(n))
        said = self.pipe.hear()
        if said != squares(n):
            raise Wrong(f"tasks from {n} on have the results {said}, not {squares(n)}")


# What needs packages is run on Debian's own Python alone, the others on every interpreter.
OF_DEBIAN = [Gunicorn, Uvicorn, Celery, ModWsgi, ModWsgiMain, Numpy]
OF_PYTHON = [Pool, Sqlite, Asyncio, HttpThreads]


def all_apps():
    """(class, interpreter) of every application to run."""
    found = harness.interpreters()
    system = [i for i in found if i.kind == "system"]
    return [(app, i) for i in system for app in OF_DEBIAN] + [(app, i) for i in found for app in OF_PYTHON]
