/* lines: 9 */
/* The same of all of the process: nothing says where it could matter. What else the interpreter calls is no part of it. */
#pragma D option quiet
syscall::lseek:entry, syscall::pread64:entry
/pid == $1/
{ printf("%s(%d, %d)\n", probefunc, arg0, arg2); }
syscall::lseek:return, syscall::pread64:return
/pid == $1/
{ @[probefunc, arg0, errno] = count(); }
syscall::write:entry
/pid == $1 && arg2 == 17/
{ printf("%s(%d, %s, %d)\n", probefunc, arg0, copyinstr(arg1, 17), arg2); }
END { printa("%s %d %d %@d\n", @); }
