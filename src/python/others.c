// SPDX-License-Identifier: Apache-2.0
/*
 * Another pydtrace that lives in the same process: both work, but they must not attach or detach at the same moment,
 * since they share the place of the stub.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "python/python_impl.h"

enum { LOCK_MS = 5000 };

/* A name in the abstract namespace is a lock that goes with its holder, however that ends. */
int python_lock(struct target *t, struct diag *diag)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int len = snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "pydtrace-attach-%d", target_pid(t));
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);

	if (fd < 0)
		return diag_fail(diag, errno, "socket: %s", strerror(errno));
	for (int ms = 0; bind(fd, (struct sockaddr *)&a, size); ms++) {
		int err = errno;

		if (err != EADDRINUSE || ms > LOCK_MS) {
			close(fd);
			if (err != EADDRINUSE)
				return diag_fail(diag, err, "bind: %s", strerror(err));
			return diag_fail(diag, EBUSY,
					 "process %d (%s): another pydtrace is entering it right now; try again",
					 target_pid(t), target_comm(t));
		}
		usleep(1000);
	}
	return fd;
}

bool python_others_there(const struct python *p)
{
	struct stub_ctl c;

	for (size_t i = 0; i < p->maps.n; i++)
		if (p->maps.v[i].end != p->target_page + p->map_size && python_ctl_read(p->t, &p->maps.v[i], &c))
			return true;
	return false;
}
