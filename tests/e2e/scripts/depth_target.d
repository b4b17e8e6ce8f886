/* As the script of 2007, but right for recursion too. */
python$target:::function-entry
/copyinstr(arg1) == $$1/
{ self->depth++; calls++; }

python$target:::function-return
/copyinstr(arg1) == $$1 && self->depth/
{ self->depth--; returns++; }

syscall:::entry
/self->depth/
{ @[probefunc] = count(); }

END
{ printf("calls: %d\nreturns: %d\n", calls, returns); }
