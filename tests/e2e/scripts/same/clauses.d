/* lines: 12 */
/* Several clauses at one probe, in the order of the script; variables of clause, thread and all. */
#pragma D option quiet
python$1:__main__:recurse:function-entry { this->x = 1; self->n++; g += 1; }
python$1:__main__:re*:function-entry /self->n > 2/ { this->y = this->x + self->n; printf("%d %d %d\n", this->y, self->n, g); }
python$1:__main__::function-entry /copyinstr(arg1) == "recurse" && g % 2/ { g += 10; }
syscall::getppid:entry /self->n/ { self->calls++; }
syscall::getppid:entry /self->n && self->calls % 3 == 0/ { printf("%d %d\n", self->n, self->calls); }
syscall::getppid:return /self->n == 2/ { self->n = 0; printf("%d\n", arg1 == ppid); }
python$1:__main__:recurse:function-return /self->n/ { self->n--; }
END { printf("%d\n", g); }
