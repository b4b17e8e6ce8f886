/* lines: 33 */
/* status: 0 */
/* tick-N sees what the probes have left, and ends the run. */
#pragma D option quiet
python$1:__main__::function-entry { @[probefunc] = count(); n++; }
python$1:__main__:last:function-return { done = 1; }
tick-5ms /done && ticks < 3/ { ticks++; n += 1000; }
tick-5ms /ticks == 3/ { ticks++; printf("%d\n", n); printa("%s %@d\n", @); clear(@); printa("%s %@d\n", @); exit(0); }
