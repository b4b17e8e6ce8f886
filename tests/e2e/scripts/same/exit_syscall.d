/* status: 7 */
/* lines: 6 */
/* exit() at a system call. */
#pragma D option quiet
python$1:__main__:calls:function-entry { self->t = 1; }
syscall::lseek:entry /self->t/ { printf("%d\n", ++n); }
syscall::lseek:entry /self->t && n == 2/ { exit(7); printf("the rest\n"); }
END { printf("end %d\n", n); }
