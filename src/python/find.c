// SPDX-License-Identifier: Apache-2.0
/* Which interpreter is in a process, and where the functions are that the stub calls. Reads only. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "python/python_impl.h"

enum { VERSION_MIN = 0x0309, VERSION_MAX = 0x030f, SCAN_CHUNK = 1 << 16, SCAN_MAX = 8 << 20, SCAN_ALL = 32 << 20 };

/* Python 2.7 and 3.x put "X.Y.Z[abrc+...] (build..." into a static buffer (Python/getversion.c). */
u32 python_version_parse(const char *s, size_t n)
{
	static const struct {
		const char *text;
		u32 level;
	} levels[] = {{"a", 0xa}, {"b", 0xb}, {"rc", 0xc}};
	u32 v[3] = {0}, level = 0xf, serial = 0;
	size_t i = 0;

	for (int part = 0; part < 3; part++) {
		size_t first = i;

		for (; i < n && i < first + 3 && isdigit((unsigned char)s[i]); i++)
			v[part] = v[part] * 10 + (u32)(s[i] - '0');
		if (i == first || i == n || (part < 2 && s[i++] != '.'))
			return 0;
	}
	for (size_t l = 0; l < ARRAY_SIZE(levels); l++) {
		size_t len = strlen(levels[l].text);

		if (n - i <= len || strncmp(s + i, levels[l].text, len) || !isdigit((unsigned char)s[i + len]))
			continue;
		level = levels[l].level;
		serial = (u32)(s[i + len] - '0');
		i += len + 1;
	}
	if (i < n && s[i] == '+')
		i++;
	if (n - i < 2 || s[i] != ' ' || s[i + 1] != '(' || v[0] < 2 || v[0] > 9 || v[1] > 99 || v[2] > 255)
		return 0;
	return v[0] << 24 | v[1] << 16 | v[2] << 8 | level << 4 | serial;
}

void python_version_text(u32 version, char *out, size_t size)
{
	static const char *const levels[16] = {[0xa] = "a", [0xb] = "b", [0xc] = "rc"};
	const char *level = levels[version >> 4 & 15];

	snprintf(out, size, "%u.%u.%u", version >> 24, version >> 16 & 255, version >> 8 & 255);
	if (level)
		snprintf(out + strlen(out), size - strlen(out), "%s%u", level, version & 15);
}

/* Is map `m` of the file that is mapped at `first`, or the zero-initialised memory just behind it? */
static bool same_image(const struct target_map *first, const struct target_map *m, u64 *end)
{
	bool file = m->ino && m->ino == first->ino && m->dev == first->dev;

	/* .bss: anonymous, and nothing but a heap may follow an image without a gap. */
	if (!file && !(m->start == *end && !m->ino && !*m->path))
		return false;
	*end = m->end;
	return true;
}

static bool is_first_of_image(const struct target_maps *maps, size_t i)
{
	const struct target_map *m = &maps->v[i];

	return m->ino && !m->off && m->prot[0] == 'r' && strncmp(m->path, "/dev/", 5) &&
	       !(i && maps->v[i - 1].ino == m->ino && maps->v[i - 1].dev == m->dev && maps->v[i - 1].off == m->off);
}

/* Look for the version string in the writable memory of the image: 3.9 and 3.10 have no Py_Version. */
static u32 version_scan(struct target *t, const struct target_maps *maps, size_t first)
{
	char *buf = malloc(SCAN_CHUNK + 64);
	u64 end = maps->v[first].end, all = 0;
	u32 found = 0;

	for (size_t i = first;
	     buf && i < maps->n && !found && (i == first || same_image(&maps->v[first], &maps->v[i], &end)); i++) {
		const struct target_map *m = &maps->v[i];

		if (m->prot[1] != 'w' || m->end - m->start > SCAN_MAX)
			continue;
		all += m->end - m->start;
		if (all > SCAN_ALL) /* nothing but a heap in pieces */
			break;
		for (u64 a = m->start; a < m->end && !found; a += SCAN_CHUNK) {
			size_t n = m->end - a < SCAN_CHUNK + 64 ? m->end - a : SCAN_CHUNK + 64;

			if (target_read(t, a, buf, n))
				break;
			for (char *p = buf; (p = memchr(p, '.', n - (size_t)(p - buf))) && !found; p++)
				if (p > buf && (p == buf + 1 || !isalnum((unsigned char)p[-2])))
					found = python_version_parse(p - 1, n - (size_t)(p - 1 - buf));
		}
	}
	free(buf);
	return found;
}

/* A version from a file name, "python3.9" or "libpython3.9.so.1.0": major and minor only; for messages. */
static u32 version_of_path(const char *path)
{
	const char *base = strrchr(path, '/'), *p = strstr(base ? base : path, "python");
	unsigned major, minor;

	if (!p || sscanf(p, "python%u.%u", &major, &minor) != 2 || major > 9 || minor > 99)
		return 0;
	return major << 24 | minor << 16;
}

static u32 version_read(struct target *t, struct target_elf *e, const struct target_maps *maps, size_t first)
{
	u32 version = 0;
	u64 addr;

	if (!target_elf_symbol(e, "Py_Version", &addr) && !target_read(t, addr, &version, sizeof(version)) &&
	    version)
		return version;
	return version_scan(t, maps, first);
}

static int refuse_version(struct diag *diag, struct target *t, const struct python_info *info)
{
	bool future = info->version >> 16 > VERSION_MAX;

	return diag_fail(diag, ENOTSUP, "process %d (%s): Python %s is not supported%s; pydtrace knows 3.9 to 3.15",
			 target_pid(t), target_comm(t), info->version_text, future ? " yet" : "");
}

static int info_fill(struct target *t, struct target_elf *e, const struct target_maps *maps, size_t first,
		     struct python_info *out)
{
	u64 addr;

	memset(out, 0, sizeof(*out));
	snprintf(out->image, sizeof(out->image), "%s", maps->v[first].path);
	out->image_base = maps->v[first].start;
	out->version = version_read(t, e, maps, first);
	if (out->version) {
		python_version_text(out->version, out->version_text, sizeof(out->version_text));
	} else {
		out->version = version_of_path(out->image);
		snprintf(out->version_text, sizeof(out->version_text), "%u.%u", out->version >> 24,
			 out->version >> 16 & 255);
	}
	/* Only a free-threaded build exports these (Include/cpython/pyatomic.h users, refcount.h: Py_GIL_DISABLED). */
	out->free_threaded = !target_elf_symbol(e, "_Py_MergeZeroLocalRefcount", &addr);
	return 0;
}

int python_refuse_maps(struct target *t, int err, struct diag *diag)
{
	switch (err) {
	case EACCES: /* it may have been closed to us since it was opened, by an exec */
	case EPERM: return target_refuse(target_pid(t), target_comm(t), err, diag);
	case ESRCH: return diag_fail(diag, err, "process %d (%s) has ended", target_pid(t), target_comm(t));
	case E2BIG:
		return diag_fail(diag, err,
				 "process %d (%s) has more than %d mappings, which is more than pydtrace reads",
				 target_pid(t), target_comm(t), TARGET_MAPS_MAX);
	case EFBIG:
		return diag_fail(
		    diag, err,
		    "process %d (%s): its memory map is longer than %d MB, which is more than pydtrace reads",
		    target_pid(t), target_comm(t), TARGET_MAPS_TEXT >> 20);
	case ENAMETOOLONG:
		return diag_fail(
		    diag, err,
		    "process %d (%s) has mapped files whose names are longer than %d MB together, which is "
		    "more than pydtrace reads",
		    target_pid(t), target_comm(t), TARGET_MAPS_NAMES >> 20);
	default:
		return diag_fail(diag, err, "process %d (%s): cannot read its memory map: %s", target_pid(t),
				 target_comm(t), strerror(err));
	}
}

static int refuse_images(struct target *t, struct diag *diag)
{
	return diag_fail(diag, E2BIG,
			 "process %d (%s) has mapped too many ELF images, or such that look-ups in them do not end",
			 target_pid(t), target_comm(t));
}

int python_find(struct target *t, struct python_info *out, struct diag *diag)
{
	struct python_info second;
	struct target_maps maps;
	unsigned found = 0;
	int ret = target_maps_read(t, &maps);

	if (ret)
		return python_refuse_maps(t, -ret, diag);
	target_elf_begin(t);
	for (size_t i = 0; i < maps.n && found < 2; i++) {
		struct target_elf *e;
		u64 addr;

		if (!is_first_of_image(&maps, i) || target_elf_open(&e, t, maps.v[i].start))
			continue;
		if (!target_elf_symbol(e, "Py_AddPendingCall", &addr))
			info_fill(t, e, &maps, i, found++ ? &second : out);
		target_elf_close(e);
	}
	target_maps_free(&maps);
	if (target_elf_exhausted(t))
		return refuse_images(t, diag);
	if (!found)
		return diag_fail(diag, ENOENT, "process %d (%s) is not a Python process", target_pid(t),
				 target_comm(t));
	if (found > 1)
		return diag_fail(diag, EEXIST, "process %d (%s) has two Python interpreters: %s and %s",
				 target_pid(t), target_comm(t), out->image, second.image);
	if (!out->version)
		return diag_fail(diag, ENOTSUP, "process %d (%s): cannot tell the version of the Python in %s",
				 target_pid(t), target_comm(t), out->image);
	if (out->version >> 16 < VERSION_MIN || out->version >> 16 > VERSION_MAX)
		return refuse_version(diag, t, out);
	if (out->free_threaded)
		return diag_fail(diag, ENOTSUP,
				 "process %d (%s): the free-threaded build of Python %s is not supported",
				 target_pid(t), target_comm(t), out->version_text);
	return 0;
}

/* --- symbols ------------------------------------------------------------------------------------------------------ */

struct wanted {
	const char *name;
	size_t offset; /* of the u64 in struct python_symbols */
	bool optional;
};
#define WANT(n, field, ...)                                                                                        \
	{                                                                                                          \
		n, offsetof(struct python_symbols, field), __VA_ARGS__                                             \
	}

static const struct wanted of_python[] = {
    WANT("Py_AddPendingCall", add_pending),
    WANT("PyGILState_Check", gil_check),
    WANT("PyGILState_Ensure", gil_ensure),
    WANT("PyGILState_Release", gil_release),
    WANT("Py_IsInitialized", initialized),
    WANT("_Py_IsFinalizing", finalizing, true), /* to 3.12 */
    WANT("Py_IsFinalizing", finalizing, true),  /* from 3.13 */
    WANT("PyGILState_GetThisThreadState", this_state),
    WANT("PyEval_RestoreThread", restore_thread),
    WANT("PyThread_acquire_lock_timed", acquire_lock),
    WANT("_PySemaphore_Wait", semaphore_wait, true),
};
/* In libc from glibc 2.34, in libdl and libpthread before. */
static const struct wanted of_libc[] = {
    WANT("dlopen", dlopen),
    WANT("dlsym", dlsym),
    WANT("dlclose", dlclose),
    WANT("dlerror", dlerror),
    WANT("__errno_location", errno_location),
    WANT("_r_debug", r_debug, true),
    WANT("pthread_attr_init", attr_init, true),
    WANT("pthread_attr_setstack", attr_setstack, true),
    WANT("pthread_attr_setdetachstate", attr_setdetach, true),
    WANT("pthread_create", thread_create, true),
};

static void symbols_take(struct target_elf *e, const struct wanted *w, size_t n, struct python_symbols *out)
{
	for (size_t i = 0; i < n; i++) {
		u64 *to = (u64 *)((char *)out + w[i].offset), addr;

		if (!*to && !target_elf_symbol(e, w[i].name, &addr))
			*to = addr;
	}
}

static const char *symbols_missing(const struct wanted *w, size_t n, const struct python_symbols *s)
{
	for (size_t i = 0; i < n; i++)
		if (!w[i].optional && !*(const u64 *)((const char *)s + w[i].offset))
			return w[i].name;
	return NULL;
}

int python_symbols_find(struct target *t, const struct python_info *info, struct python_symbols *out,
			struct diag *diag)
{
	const char *missing, *libc = NULL;
	struct target_maps maps;
	bool glibc = false;
	int ret = target_maps_read(t, &maps);

	memset(out, 0, sizeof(*out));
	if (ret)
		return python_refuse_maps(t, -ret, diag);
	target_elf_begin(t);
	for (size_t i = 0; i < maps.n; i++) {
		struct target_elf *e;
		u64 addr;

		if (!is_first_of_image(&maps, i) || target_elf_open(&e, t, maps.v[i].start))
			continue;
		if (maps.v[i].start == info->image_base) {
			symbols_take(e, of_python, ARRAY_SIZE(of_python), out);
			out->image_start = out->image_end = maps.v[i].start;
			for (size_t k = i;
			     k < maps.n && (k == i || same_image(&maps.v[i], &maps.v[k], &out->image_end)); k++)
				out->image_end = maps.v[k].end;
		} else {
			const char *base = strrchr(maps.v[i].path, '/');

			base = base ? base + 1 : "";
			if (!target_elf_symbol(e, "gnu_get_libc_version", &addr))
				glibc = true;
			if (!strncmp(base, "ld-musl", 7) || !strncmp(base, "libc.musl", 9))
				libc = "musl";
			if (!strncmp(base, "libc.so", 7) || !strncmp(base, "libc-", 5) ||
			    !strncmp(base, "libdl", 5) || !strncmp(base, "libpthread", 10) ||
			    !strncmp(base, "ld-", 3))
				symbols_take(e, of_libc, ARRAY_SIZE(of_libc), out);
		}
		target_elf_close(e);
	}
	target_maps_free(&maps);
	if (target_elf_exhausted(t))
		return refuse_images(t, diag);
	if (libc || !glibc)
		return diag_fail(diag, ENOTSUP,
				 "process %d (%s): its C library is %s; pydtrace can enter processes with glibc "
				 "only",
				 target_pid(t), target_comm(t), libc ? libc : "not glibc or linked statically");
	missing = symbols_missing(of_python, ARRAY_SIZE(of_python), out);
	if (!missing)
		missing = symbols_missing(of_libc, ARRAY_SIZE(of_libc), out);
	if (missing)
		return diag_fail(diag, ENOTSUP, "process %d (%s): %s is not exported by its Python or C library",
				 target_pid(t), target_comm(t), missing);
	return 0;
}
