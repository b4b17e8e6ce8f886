/* Clauses of one probe run in their order, those with a predicate only where it holds. */
#pragma D option quiet
BEGIN { n = 1; }
BEGIN /n == 1/ { printf("first\n"); n = 2; }
BEGIN /n == 1/ { printf("not this\n"); }
BEGIN /n == 2 && probename == "BEGIN"/ { printf("second\n"); }
BEGIN, END { printf("both %s\n", probename); }
BEGIN { exit(0); }
END { printf("%s:%s:%s:%s\n", probeprov, probemod, probefunc, probename); }
