/* lines: 24 */
/* How functions are entered and left, and that it is the same call each time. */
#pragma D option quiet
python$1:__main__:generate:function-entry, python$1:__main__:delegate:function-entry, python$1:__main__:fail:function-entry
/arg3 == 0/
{ began[arg4] = 1; }
python$1:__main__:generate:function-entry, python$1:__main__:delegate:function-entry, python$1:__main__:fail:function-entry
{ printf("> %s %d %d\n", probefunc, arg3, began[arg4]); }
python$1:__main__:generate:function-return, python$1:__main__:delegate:function-return, python$1:__main__:fail:function-return
{ printf("< %s %d %d\n", probefunc, args[3], began[args[4]]); }
