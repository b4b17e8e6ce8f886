/* After exit() nothing but END runs, and the rest of the clause does. */
#pragma D option quiet
BEGIN { exit(0); printf("rest of the clause\n"); }
tick-1ms { printf("not this\n"); }
END { printf("end\n"); }
