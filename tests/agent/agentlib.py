# SPDX-License-Identifier: Apache-2.0
"""Loads the agent into this very process and counts what passes its sites. Runs on every Python from 3.9 on."""
import ctypes
import mmap
import os
import shutil
import struct
import sys
import tempfile
import time

ENTRY, RETURN = 0, 1
NEW, LOADING, ACTIVE, FAILED, LEAVING, GONE, INERT = range(7)
FILE, NAME, LINE, MODULE, QUALNAME = range(5)
EQ, NE, LT, LE, GT, GE, GLOB = range(7)
OWNER_DIED = 0x40000000
MAGIC = 0x7079647472616365

AGENT_SO, COUNTER_SO = os.environ.get("AGENT_SO"), os.environ.get("COUNTER_SO")
MAIL = bool(os.environ.get("AGENT_MAIL"))  # events by mail, not through the sites


class Mail(ctypes.Structure):
    """struct wire_mail"""
    _fields_ = [("wanted", ctypes.c_uint32), ("open", ctypes.c_uint32), ("asleep", ctypes.c_uint32),
                ("answered", ctypes.c_uint32), ("spin", ctypes.c_uint32), ("pad", ctypes.c_uint32 * 11),
                ("asked", ctypes.c_uint32), ("waits", ctypes.c_uint32), ("event", ctypes.c_uint32), ("tid", ctypes.c_uint32),
                ("cpu", ctypes.c_uint32), ("pad2", ctypes.c_uint32), ("fid", ctypes.c_uint64), ("filters", ctypes.c_uint64),
                ("file", ctypes.c_uint64), ("func", ctypes.c_uint64), ("line", ctypes.c_int64), ("function", ctypes.c_uint64),
                ("own_ip", ctypes.c_uint64)]


class Page(ctypes.Structure):
    """struct wire_page, word for word; the mail is behind it, at a multiple of 64."""
    _fields_ = [("magic", ctypes.c_uint64), ("version", ctypes.c_uint32), ("size", ctypes.c_uint32),
                ("strsize", ctypes.c_uint32), ("nfilters", ctypes.c_uint32), ("filters", ctypes.c_uint32),
                ("nranges", ctypes.c_uint32), ("ranges", ctypes.c_uint32), ("nterms", ctypes.c_uint32),
                ("terms", ctypes.c_uint32), ("max_functions", ctypes.c_uint32), ("functions", ctypes.c_uint32),
                ("strings", ctypes.c_uint32), ("strings_end", ctypes.c_uint32), ("pad", ctypes.c_uint32), ("owner", ctypes.c_uint32),
                ("state", ctypes.c_uint32), ("error", ctypes.c_int32),
                ("message", ctypes.c_char * 256), ("mechanism", ctypes.c_uint32), ("tool_id", ctypes.c_int32),
                ("nfunctions", ctypes.c_uint32), ("strings_used", ctypes.c_uint32),
                ("dropped_events", ctypes.c_uint64), ("events", ctypes.c_uint64 * 2), ("seen", ctypes.c_uint64),
                ("looks", ctypes.c_uint64), ("dl_handle", ctypes.c_uint64), ("dlopen", ctypes.c_uint64),
                ("dlclose", ctypes.c_uint64), ("ndead", ctypes.c_uint32), ("dead", ctypes.c_uint32)]


FUNCTION = struct.Struct("=IIIIiIQQ")
RESERVE = 1024  # for the header; it may grow


def term(field, op, value):
    return (field, op, value)


def filter_(events=(ENTRY, RETURN), any_=(), all_=()):
    return (events, any_, all_)


def names(*wanted):
    """A filter for functions by co_name."""
    return filter_(any_=[[term(NAME, EQ, n)] for n in wanted])


def build_page(filters, size=4 << 20, strsize=256, max_functions=16384, owner=0, file=None, strings_size=None):
    """The page as the tracer would make it: an anonymous shared mapping."""
    file = mmap.mmap(-1, size)
    terms, ranges, flt, text = [], [], [], bytearray()
    nterms = sum(sum(len(g) for g in any_) + len(all_) for _, any_, all_ in filters)
    nranges = sum(len(any_) for _, any_, _ in filters)
    at_filters = RESERVE
    at_ranges = at_filters + 20 * len(filters)
    at_terms = (at_ranges + 8 * nranges + 7) & ~7
    at_functions = (at_terms + 24 * nterms + 7) & ~7
    at_text = at_functions + FUNCTION.size * max_functions

    def put(field, op, value):
        if field == LINE:
            terms.append(struct.pack("=IIqII", field, op, value, 0, 0))
            return
        b = value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")
        terms.append(struct.pack("=IIqII", field, op, 0, at_text + len(text), len(b)))
        text.extend(b + b"\0")

    for events, any_, all_ in filters:
        first = len(ranges)
        for group in any_:
            ranges.append(struct.pack("=II", len(terms), len(group)))
            for t in group:
                put(*t)
        all_first = len(terms)
        for t in all_:
            put(*t)
        flt.append(struct.pack("=IIIII", sum(1 << e for e in events), first, len(any_), all_first, len(all_)))
    for at, what in ((at_filters, flt), (at_ranges, ranges), (at_terms, terms), (at_text, [bytes(text)])):
        b = b"".join(what)
        file[at:at + len(b)] = b
    page = Page.from_buffer(file)
    page.magic, page.version, page.size, page.strsize = MAGIC, 3, size, strsize
    page.nfilters, page.filters = len(filters), at_filters
    page.nranges, page.ranges = nranges, at_ranges
    page.nterms, page.terms = nterms, at_terms
    page.max_functions, page.functions = max_functions, at_functions
    page.strings = at_text + len(text)
    page.strings_end = size if strings_size is None else page.strings + strings_size
    page.owner = owner
    return file, page


def mail_of(file):
    return Mail.from_buffer(file, (ctypes.sizeof(Page) + 63) & ~63)


_counter = None


def counter():
    global _counter
    if _counter is None:
        _counter = ctypes.CDLL(COUNTER_SO)
        _counter.counter_serve.argtypes = [ctypes.c_void_p]
    return _counter


class Event(ctypes.Structure):
    """struct counter_event"""
    _fields_ = [("event", ctypes.c_uint32), ("fid", ctypes.c_uint32), ("line", ctypes.c_int64),
                ("filters", ctypes.c_uint64), ("tid", ctypes.c_uint32), ("cpu", ctypes.c_uint32)]


class Counter(ctypes.Structure):
    """struct counter"""
    _fields_ = [("counts", ctypes.c_uint64 * 65536 * 2), ("log", Event * 65536), ("nlog", ctypes.c_uint64),
                ("bad", ctypes.c_uint64), ("hold_ms", ctypes.c_uint32), ("then", ctypes.c_uint32),
                ("look", ctypes.c_uint32)]


class Refused(Exception):
    pass


class Agent:
    """One instance: a copy of the shared object, as each tracer brings its own."""

    def __init__(self, filters, copy=False, hook=True, mail=MAIL, **kw):
        self.file, self.page = build_page(filters, **kw)
        self.mail, self.server = mail_of(self.file), None
        path = AGENT_SO
        if copy:
            fd, path = tempfile.mkstemp(suffix=".so")
            os.close(fd)
            shutil.copy(AGENT_SO, path)
        self.lib = ctypes.PyDLL(path)
        if copy:
            os.unlink(path)
        self.c = counter()
        self.hook = hook
        if hook:
            for event in ("entry", "return"):
                site = ctypes.cast(getattr(self.lib, "pydtrace_site_" + event), ctypes.c_void_p).value
                to = ctypes.cast(getattr(self.c, "counter_" + event), ctypes.c_void_p).value
                self.c.counter_patch.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
                first = ctypes.string_at(site, 1)
                if first != b"\xe9" and self.c.counter_patch(site, to):
                    raise OSError("cannot patch " + event)
            self.c.counter_reset()
        self.counter = Counter.from_address(ctypes.c_void_p.in_dll(self.c, "counter").value)
        self.counts_ = self.counter.counts
        if mail:
            self.mail.wanted = self.mail.open = 1
            self.counter.then = self.counter.hold_ms = 0
            self.mail.spin, self.counter.look = 300, 1000
            self.server = self.c.counter_serve(ctypes.addressof(self.page))
        self.init_ = self.lib.pydtrace_agent_init
        self.init_.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32]
        self.address = ctypes.addressof(self.page)
        self.fini_ = self.lib.pydtrace_agent_fini
        self.dlsym = ctypes.cast(ctypes.CDLL(None).dlsym, ctypes.c_void_p)

    def init(self, version=sys.hexversion):
        err = self.init_(self.address, self.dlsym, version)
        if err:
            raise Refused(err, self.page.message.decode())
        return self

    def fini(self):
        return self.fini_()

    def __enter__(self):
        return self.init()

    def __exit__(self, *exc):
        self.fini()

    # What came of it; ask after fini(), so that asking is not traced.

    def text(self, off):
        end = self.file.find(b"\0", off)
        return self.file[off:end].decode("utf-8", "surrogateescape")

    def functions(self):
        out = []
        for i in range(self.page.nfunctions):
            f, n, m, q, line, _, bits, _ = FUNCTION.unpack_from(self.file, self.page.functions + i * FUNCTION.size)
            out.append({"fid": i + 1, "file": self.text(f), "name": self.text(n), "module": self.text(m),
                        "qualname": self.text(q), "line": line, "filters": bits})
        return out

    def counts(self, key="name"):
        """{name: (entries, returns)}, functions of one name added up."""
        out = {}
        for f in self.functions():
            e, r = out.get(f[key], (0, 0))
            out[f[key]] = e + self.counts_[ENTRY][f["fid"]], r + self.counts_[RETURN][f["fid"]]
        return out

    def total(self):
        c = self.counts()
        total = sum(e for e, _ in c.values()), sum(r for _, r in c.values())
        assert total == tuple(self.page.events), (total, tuple(self.page.events))
        assert self.counter.bad == 0
        return total

    def log(self):
        """[(event, name, line)] in order."""
        fns = self.functions()
        return [("entry" if e.event == ENTRY else "return", fns[e.fid - 1]["name"], e.line) for e in self.events()]

    def events(self):
        return self.counter.log[:min(self.counter.nlog, 65536)]
