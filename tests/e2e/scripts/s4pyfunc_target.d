/* The script of 2007 for -c: only the process has another name. */
python$target:::function-entry
/copyinstr(arg1) == $$1/
{ self->t = 1; calls++; }

python$target:::function-return
/copyinstr(arg1) == $$1 && self->t/
{ self->t = 0; }

syscall:::entry
/self->t/
{ @[probefunc] = count(); }

END
{ printf("calls: %d", calls); }
