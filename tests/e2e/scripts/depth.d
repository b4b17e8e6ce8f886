/* As the script of 2007, but right for recursion too. */
python$1:::function-entry
/copyinstr(arg1) == $$2/
{ self->depth++; calls++; }

python$1:::function-return
/copyinstr(arg1) == $$2 && self->depth/
{ self->depth--; returns++; }

syscall:::entry
/self->depth/
{ @[probefunc] = count(); }

END
{ printf("calls: %d\nreturns: %d\n", calls, returns); }
