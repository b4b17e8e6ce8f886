/* lines: 69 */
/* Without -q: columns, the default action, and trace(). */
python$1:__main__:re*:function-entry;
python$1:__main__:re*:function-return { trace(arg2); trace(copyinstr(arg1)); trace(execname); }
syscall::getppid:entry /pid == $1/ { trace("in"); }
