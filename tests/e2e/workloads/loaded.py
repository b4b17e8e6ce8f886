# SPDX-License-Identifier: Apache-2.0
"""Functions of all kinds, most of them never called, for who lists them. With an argument that many more, in `many`; with `odd`
names that nobody should print as they are. A thread counts meanwhile how often it gets on."""
import functools
import sys
import threading
import types

from workload import hear, ready, say


def query(a):
    def inner():
        return [i for i in (i for i in a)]
    return inner


def quit(key=lambda: 1):
    yield key


def wraps(f):
    @functools.wraps(f)
    def wrapper():
        return f()
    return wrapper


@wraps
def wrapped():
    pass


class App:
    class Inner:
        async def method(self):
            class Local:
                def deep(self):
                    pass
            return Local

    @property
    def prop(self):
        pass

    @staticmethod
    def static():
        pass

    @functools.cached_property
    def cached(self):
        pass


table = [lambda: 2]
exec("def made():\n    pass")

turns = 0


def count():
    global turns
    while True:
        turns += 1


def called():
    pass


def more(name, source):
    sys.modules[name] = types.ModuleType(name)
    exec(compile(source, f"/srv/{name}.py", "exec"), sys.modules[name].__dict__)


if sys.argv[1:] == ["odd"]:
    more("odd\n\x1b[2J", "def caf\u00e9():\n    pass\n")
    exec("def f():\n    pass", sys.modules["odd\n\x1b[2J"].__dict__)
elif sys.argv[1:]:
    more("many", "".join(f"def f{i}():\n    pass\n" for i in range(int(sys.argv[1]))))
    threading.Thread(target=count, daemon=True).start()
ready("query")
for _ in range(10):
    called()
say(turns=turns)
hear()
