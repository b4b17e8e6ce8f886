/* lines: 48 */
/* Switched on and off by other functions, threads and a count; the condition on the thread stands last. */
#pragma D option quiet
python$1:__main__:forks:function-entry { on = 1; self->t = 1; }
python$1:__main__:signals:function-return { on = 0; }
python$1:__main__:threaded:function-entry { self->u = 1; on = 2; }
syscall::getppid:entry, syscall::getppid:return, syscall::kill:entry
/on && (self->t || self->u)/
{ printf("%d %s %s %d %d\n", on, probefunc, probename, self->t, self->u); }
syscall::kill:return /on == 1 && self->t && arg0 == 0/ { printf("kill %d %d\n", errno, ++kills); }
python$1:__main__:Worker.work:function-return /self->t && !on/ { printf("never\n"); }
python$1:__main__:last:function-return { printf("%d %d %d\n", on, self->t, kills); }
