// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz what the tracer believes of an attached process: the answers in the stub's frame (on the target's stack), the
 * descriptors that they name, and the shared page, which the target can write at any time.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "python/python_impl.h"

enum { PAGE = 8192, MAX_TEXT = PAGE + STUB_CTL_SIZE };

const struct fuzz_hints fuzz_hints = {.max = 512};

static const struct wire_page plan = {.magic = WIRE_MAGIC,
				      .version = WIRE_VERSION,
				      .size = PAGE,
				      .max_functions = 8,
				      .functions = 1024,
				      .state = WIRE_ACTIVE,
				      .nfunctions = 3,
				      .strings = 4096,
				      .strings_end = PAGE};
static struct target *self; /* the target's frame is in this process */

static int memory_file(const char *name, unsigned flags, off_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC | flags);

	if (fd < 0 || ftruncate(fd, size))
		abort();
	return fd;
}

/* Bytes that the target writes after a text was found to end. The text must still end, in memory of ours. */
static void use_text(struct python *p, u32 off)
{
	const char *s = python_text(p, off);
	struct strbuf b = {0};

	if (off < p->ctl_off && s == (const char *)p->page + off)
		memset((char *)p->page + off, 'A', p->map_size - off);
	strbuf_printf(&b, "%s", s);
	if (b.len > MAX_TEXT)
		abort();
	strbuf_free(&b);
}

static void use_page(struct python *p, struct fuzz_in *in)
{
	static u8 copy[PAGE + STUB_CTL_SIZE];
	u64 sum = 0;

	for (int i = 0; i < 8; i++) {
		u32 fid = (u32)fuzz_take(in, i & 1 ? 4 : 1);
		const struct wire_function *f = python_function(p, fid);

		python_agent_fd(p);
		if (!f)
			continue;
		sum += hash_bytes(f, sizeof(*f));
		memcpy(copy, p->page, sizeof(copy));
		use_text(p, f->name);
		memcpy(p->page, copy, sizeof(copy));
		use_text(p, (u32)fuzz_take(in, 4));
		memcpy(p->page, copy, sizeof(copy));
	}
	if (sum == 1)
		abort();
}

/* Mail that the target makes up. What is taken can be used, and what is not is done with: else nobody could sleep. */
static void use_mail(struct python *p, struct fuzz_in *in)
{
	struct python_mail m;
	u32 seen, *bell;

	python_mail_open(p, fuzz_take(in, 1) & 1);
	for (int i = 0; i < 4; i++) {
		fuzz_damage(in, &p->page->mail, sizeof(p->page->mail));
		if (python_mail_take(p, &m)) {
			if (m.event >= WIRE_NEVENTS || !p->open)
				abort();
			python_function(p, (u32)m.fid);
			python_mail_answer(p);
		}
		bell = python_mail_bell(p, &seen);
		if (*bell != seen || python_mail_take(p, &m))
			abort();
	}
	python_mail_open(p, false);
	if (p->page->mail.open)
		abort();
}

/*
 * The stub: it takes the page once it is sealed. Without it the handshake would wait in vain, which is not what is looked
 * for here.
 */
struct stub {
	int fd;
	u32 over; /* do not wait any more */
};

static void *stub_run(void *arg)
{
	struct stub *stub = arg;
	struct stub_ctl *c;
	u32 filled = STUB_FILLED;
	struct stat st;
	char *page;

	while (!(fcntl(stub->fd, F_GET_SEALS) & F_SEAL_SEAL)) {
		if (__atomic_load_n(&stub->over, __ATOMIC_ACQUIRE))
			return NULL;
		sched_yield();
	}
	if (fstat(stub->fd, &st) || st.st_size < PAGE + STUB_CTL_SIZE)
		return NULL; /* made without leave to seal it, which is a seal of its own */
	page = mmap(NULL, PAGE + STUB_CTL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, stub->fd, 0);
	if (page == MAP_FAILED)
		return NULL;
	c = (struct stub_ctl *)(page + PAGE);
	if (__atomic_compare_exchange_n(&c->ready, &filled, STUB_TAKEN, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		__atomic_store_n(&c->page, (u64)(uintptr_t)page, __ATOMIC_RELEASE);
	munmap(page, PAGE + STUB_CTL_SIZE);
	return NULL;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct diag quiet = {fuzz_hush};
	struct fuzz_in in = {data, size};
	u8 mode = (u8)fuzz_take(&in, 1), ndamage = (u8)fuzz_take(&in, 1);
	struct stub_frame frame = {.step = 1, .page = 0x10000};
	struct python p = {.ctl_off = PAGE,
			   .map_size = PAGE + STUB_CTL_SIZE,
			   .page_fd = -1,
			   .agent_fd = -1,
			   .dir_fd = -1,
			   .agent = &plan,
			   .agent_size = 64,
			   .nonce = "0123456789ab",
			   .target_frame = (u64)(uintptr_t)&frame};
	struct stub stub = {0};
	pthread_t thread;
	int fds[2], ret;

	if (!self && target_open(&self, getpid(), &quiet))
		return 0;
	/* Files that are not empty, or that cannot be sealed, are a target's that has its own ideas. */
	fds[0] = memory_file("pydtrace-page-0123456789ab", mode & 1 ? 0 : MFD_ALLOW_SEALING,
			     mode & 2 ? (off_t)fuzz_take(&in, 2) : 0);
	fds[1] = memory_file("pydtrace-agent-0123456789ab", mode & 4 ? 0 : MFD_ALLOW_SEALING, 0);
	frame.page_fd = fds[0];
	frame.agent_fd = fds[1];
	for (int n = ndamage % 4; n > 0; n--)
		fuzz_damage(&in, &frame.step, offsetof(struct stub_frame, ack) - offsetof(struct stub_frame, step));
	frame.step = frame.step ? frame.step : 1; /* else it is waited for */
	p.t = self;
	stub.fd = fds[0];
	if (pthread_create(&thread, NULL, stub_run, &stub))
		abort();
	ret = python_handshake(&p, &plan, sizeof(plan));
	__atomic_store_n(&stub.over, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	if (ret > 0 || (!size && ret))
		abort();
	if (!ret) {
		ftruncate(fds[0], 0); /* what a target would try next */
		for (int n = ndamage >> 2; n > 0; n--)
			fuzz_damage(&in, p.page, n & 1 ? sizeof(plan) : p.map_size);
		use_page(&p, &in);
		use_mail(&p, &in);
		python_refuse_busy(&p, &quiet);
	}
	python_handshake_undo(&p);
	close(fds[0]);
	close(fds[1]);
	return 0;
}
