/* flags: -F */
/* lines: 67 */
/* Calls below their callers, and system calls below those. */
python$1:__main__::function-entry, python$1:__main__::function-return { self->t = 1; }
syscall::getppid:entry, syscall::getppid:return, syscall::geteuid:entry, syscall::geteuid:return /self->t && tid == pid/ { trace(errno); }
