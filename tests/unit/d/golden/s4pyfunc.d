#!/usr/sbin/dtrace -Fs
python$1:::function-entry
/copyinstr(arg1) == $$2/
{ self->t = 1; calls++; }

python$1:::function-return
/copyinstr(arg1) == $$2 && self->t/
{ self->t = 0; }

syscall:::entry
/self->t/
{ @[probefunc] = count(); }

END
{ printf("calls: %d", calls); }
