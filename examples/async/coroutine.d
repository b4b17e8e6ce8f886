/*
 * coroutine.d PID FUNCTION: how long each call of a coroutine takes from its start to its end, in milliseconds, and how long a thread
 * runs it at a stretch, in microseconds. Begun is a call by its number, arg4, since many are under way at the same time.
 */
python$1:::function-entry
/copyinstr(arg1) == $$2 && arg3 == PY_START/
{ begun[arg4] = timestamp; }

python$1:::function-entry
/copyinstr(arg1) == $$2/
{ self->since = timestamp; }

python$1:::function-return
/copyinstr(arg1) == $$2 && self->since/
{
	@["runs at a stretch, us"] = quantize((timestamp - self->since) / 1000);
	self->since = 0;
}

python$1:::function-return
/copyinstr(arg1) == $$2 && arg3 != PY_YIELD && begun[arg4]/
{
	@["start to end, ms"] = quantize((timestamp - begun[arg4]) / 1000000);
	begun[arg4] = 0;
}
