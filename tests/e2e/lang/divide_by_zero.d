/* A fault ends its clause, and only that; ERROR tells of it. */
#pragma D option quiet
BEGIN { z = 0; }
BEGIN { x = 1; x = 1 / z; printf("not this\n"); }
BEGIN { after = 1; }
BEGIN /1 % z == 0/ { printf("nor this\n"); }
ERROR { printf("fault %d\n", arg4); n++; }
ERROR /n == 2/ { exit(0); }
END { printf("%d %d %d\n", after, x, n); }
