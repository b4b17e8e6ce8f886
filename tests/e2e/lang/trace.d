/* trace() of each kind of value, in quiet and not. */
BEGIN { trace(42); trace("text"); trace((uint64_t)1 << 40); trace((int8_t)-1); }
BEGIN { printf("printed"); }
BEGIN { trace(1); printf(" and "); trace(2); exit(0); }
END { }
