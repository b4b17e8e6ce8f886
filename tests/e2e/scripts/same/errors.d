/* lines: 48 */
/* Faults: of a bad address, a division, in a predicate and in a statement, at both kinds of probe. */
#pragma D option quiet
python$1:__main__:recurse:function-entry { printf("[%s]\n", copyinstr(arg2 * 0 + 8)); }
python$1:__main__:recurse:function-entry /copyinstr(16) == "x"/ { printf("never\n"); }
python$1:__main__:recurse:function-return { printf("%d\n", 100 / (arg2 - arg2)); }
python$1:__main__:recurse:function-return { after++; }
syscall::lseek:entry /pid == $1/ { this->x = 5; printf("%d\n", this->x % (arg0 - arg0)); printf("never\n"); }
syscall::pread64:return /pid == $1/ { trace(copyinstr(arg1)); }
ERROR { printf("ERROR %d %d %d %x\n", arg1, arg2, arg4, arg5); errors++; }
END { printf("%d after, %d errors\n", after, errors); }
