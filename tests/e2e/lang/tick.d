/* A probe of time. */
#pragma D option quiet
tick-5ms { n++; }
tick-5ms /n == 3/ { printf("third\n"); exit(0); }
END { printf("%d\n", n >= 3); }
