/* lines: 37 */
/* What a thread does after the function has returned, or has failed: armed by the return, disarmed by a system call. */
#pragma D option quiet
python$1:__main__:[a-r]*:function-return { self->left = 3; self->who = copyinstr(arg1); }
syscall::getppid:entry, syscall::geteuid:entry, syscall::kill:entry, syscall::lseek:entry
/self->left/
{ printf("%d after %s: %s\n", self->left, self->who, probefunc); self->left--; }
END { printf("end\n"); }
