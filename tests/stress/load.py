# SPDX-License-Identifier: Apache-2.0
"""The load on an application: clients that ask all the while, check each answer, and know how often they were answered."""
import itertools
import struct
import threading
import time

import apps
import witness


class Load:
    """Clients that begin when resume() is called."""

    def __init__(self, app):
        self.app = app
        self.wrong = []  # what was wrong, in words
        self.answered = 0
        self.longest = 0.0  # seconds that somebody waited for an answer, since it was last set to 0
        self.numbers = itertools.count(1, apps.CALLS)
        self.go_on, self.paused, self.asking = True, True, 0
        self.change = threading.Condition()
        self.clients = [threading.Thread(target=self.client) for _ in range(app.clients)]
        self.records_read, self.records = 0, {}
        for client in self.clients:
            client.start()

    def client(self):
        while True:
            with self.change:
                self.change.wait_for(lambda: not self.paused or not self.go_on)
                if not self.go_on:
                    return
                self.asking += 1
                number = next(self.numbers)
            begin, wrong = time.monotonic(), None
            try:
                self.app.ask(number)
            except (apps.Wrong, OSError, ValueError) as error:
                wrong = str(error) if self.wrong else f"{error}\n{witness.evidence(self.app.pids)}"  # now, while it lasts
            took = time.monotonic() - begin
            with self.change:
                self.asking -= 1
                self.longest = max(self.longest, took)
                if wrong:
                    self.wrong.append(wrong)
                    self.go_on = False  # nothing that comes after is known to be right
                else:
                    self.answered += 1
                self.change.notify_all()

    def pause(self):
        """Until nobody waits for an answer."""
        with self.change:
            self.paused = True
            self.change.wait_for(lambda: not self.asking)

    def resume(self):
        with self.change:
            self.paused = False
            self.change.notify_all()

    def end(self):
        with self.change:
            self.go_on = False
            self.change.notify_all()
        for client in self.clients:
            client.join()

    def calls(self, pid=None):
        """How often target() has been called in a process, or in all, as the application itself has recorded it."""
        with open(self.app.folder / "count", "rb") as f:
            f.seek(self.records_read)
            new = f.read()
        new = new[:len(new) // 4 * 4]
        self.records_read += len(new)
        for (number,) in struct.iter_unpack("I", new):
            self.records[number] = self.records.get(number, 0) + 1
        return sum(self.records.values()) if pid is None else self.records.get(pid, 0)
