/* The 2007 script with its clauses in the other order: what is read above is assigned below. */
END { printf("calls: %d", calls); }
syscall:::entry /self->t && seen[pid]/ { @[probefunc] = count(); }
python$1:::function-return /self->t/ { self->t = 0; self->name = 0; }
python$1:::function-entry { seen[pid] = 1; self->name = copyinstr(arg1); self->t = self->since = timestamp; calls++; }
