/* lines: 24 */
/* Arguments, results and errors of system calls, looked at only inside of a function. */
#pragma D option quiet
python$1:__main__:calls:function-entry { self->in = 1; }
python$1:__main__:calls:function-return { self->in = 0; }
syscall::write:entry, syscall::lseek:entry
/self->in/
{ printf("%s(%d, %x, %d)\n", probefunc, arg0, arg1, arg2); }
syscall::read:entry
/self->in/
{ printf("%s(%d, %d)\n", probefunc, arg0, arg2); }
syscall::close:entry
/self->in/
{ printf("%s(%d)\n", probefunc, arg0); }
syscall::pread64:entry
/self->in/
{ printf("%s(%d, %d, %d)\n", probefunc, arg0, arg2, arg3); }
syscall::mmap:entry
/self->in && arg4 != 0 && arg1 == 4096/
{ printf("%s(%x, %d, %x, %x, %d, %d)\n", probefunc, arg0, arg1, arg2, arg3, (int)arg4, arg5); }
syscall::openat:entry
/self->in/
{ printf("%s(%d, %s, %x)\n", probefunc, (int)arg0, copyinstr(arg1), arg2); }
syscall::write:return, syscall::read:return, syscall::lseek:return, syscall::close:return, syscall::getppid:return,
syscall::geteuid:return, syscall::pread64:return, syscall::openat:return
/self->in/
{ printf("%s = %d %d, errno %d\n", probefunc, arg0, arg1, errno); }
