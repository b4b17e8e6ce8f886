/* lines: 10 */
/* A thread-local variable that one system call sets and others ask for; no function says where it could matter. */
#pragma D option quiet
syscall::lseek:entry /pid == $1/ { self->from = arg1; self->n = 4; }
syscall::getppid:entry, syscall::geteuid:entry, syscall::close:entry, syscall::openat:entry
/self->n/
{ printf("%d %s %d\n", self->n, probefunc, self->from); }
syscall::getppid:return, syscall::geteuid:return, syscall::close:return, syscall::openat:return /self->n/ { self->n--; }
python$1:__main__::function-entry /self->n/ { printf("%s %d\n", probefunc, self->n > 0); }
python$1:__main__:handler:function-entry { self->n = 3; }
END { printf("end\n"); }
