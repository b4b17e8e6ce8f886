/* lines: 21 */
/* What belongs to a thread stays there. */
#pragma D option quiet
python$1:__main__:threaded:function-entry { self->in = 1; printf("%d\n", tid); }
syscall::getppid:entry /self->in/ { self->n++; @[tid] = count(); }
python$1:__main__:recurse:function-return /self->in/ { printf("%d %d\n", tid, self->n); }
python$1:__main__:threaded:function-return { printf("%d %d\n", tid, self->n); self->in = 0; self->n = 0; }
syscall::getppid:return /!self->in && pid == $1/ { outside++; }
END { printf("%d\n", outside); printa("%d %@d\n", @); }
