/* lines: 90 */
/* Where functions begin and where they are left, by recursion, generators, exceptions. */
#pragma D option quiet
python$1:__main__::function-entry /arg2 > 20/ { self->depth++; printf("%*s> %s %d\n", self->depth, "", copyinstr(arg1), arg2); }
python$1:__main__::function-return /self->depth/ { printf("%*s< %s %d\n", self->depth, "", copyinstr(arg1), arg2); self->depth--; }
