/* status: 3 */
/* lines: 8 */
/* exit() at the fourth call: the rest of its clause, no other, then END. */
#pragma D option quiet
python$1:__main__:recurse:function-entry { printf("%d\n", ++n); }
python$1:__main__:recurse:function-entry /n == 4/ { exit(3); printf("the rest\n"); }
python$1:__main__:recurse:function-entry /n == 4/ { printf("never\n"); }
END { printf("end %d\n", n); }
