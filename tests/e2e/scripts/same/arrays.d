/* lines: 21 */
/* Associative arrays, global and the thread's own, with text and numbers as keys. */
#pragma D option quiet
python$1:__main__::function-entry
{
	n[probefunc]++;
	m[copyinstr(arg1), tid] = n[probefunc] * 10;
	self->a[probefunc] += arg2;
	self->b[pid, "x"] = self->a[probefunc];
}
python$1:__main__:recurse:function-return, python$1:__main__:generate:function-return, python$1:__main__:handler:function-return
{
	printf("%s %d %d %d %d\n", probefunc, n[probefunc], m[copyinstr(arg1), tid], self->a[probefunc], self->b[pid, "x"]);
	n["gone"] = 0;
}
syscall::getppid:entry
/self->a["recurse"]/
{ calls[tid]++; n["getppid"]++; }
python$1:__main__:last:function-entry
{ printf("%d %d %d\n", n["recurse"], n["getppid"], calls[tid]); }
