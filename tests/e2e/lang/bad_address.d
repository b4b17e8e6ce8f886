/* An address that is not mapped is a fault. */
#pragma D option quiet
BEGIN { printf("[%s]\n", copyinstr(8)); }
BEGIN { after = 1; }
ERROR { printf("fault %d at %x\n", arg4, arg5); exit(0); }
END { printf("%d\n", after); }
