BEGIN;
a:BEGIN, b:c:d, :::e;
a:b:c:d, f*:[a-z]?:!x-y.z:\*q, 12 { }
python1234:pkg.mod:Class.<locals>.<lambda>:function-entry { trace(1); }
syscall::open*:entry,syscall:::return{trace(1);}
pid1:libc.so.6:malloc:entry, usdt@x:::probe-name { trace(1); }
tick-10ms; profile-997hz
,tick-1s { trace(2); }
:::
