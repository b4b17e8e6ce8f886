/* lines: 3 */
/* The same faults, without a clause for them: each is told. */
#pragma D option quiet
python$1:__main__:fail:function-entry { printf("[%s]\n", copyinstr(24)); }
python$1:__main__:fail:function-return { printf("%d\n", 100 % (arg2 - arg2)); }
syscall::lseek:return /pid == $1/ { printf("%s\n", copyinstr(32)); }
END { printf("end\n"); }
