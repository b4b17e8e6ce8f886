int declared[string, int];
self string texts[int];
this uint8_t small;
int *pointer;
self plain, *star;

BEGIN
{
	declared["x", 1] = 2;
	self->texts[pid] = "a";
	self->texts[pid] = 0;
	this->small = 255;
	pointer = (int *)arg0;
	n = pointer[2] + pointer[n];
	guessed[execname, timestamp] = this->small;
	wide[1] = 1; wide[timestamp] = 2;
	self->count[probefunc]++;
	self->sum[1] += 2;
	n = guessed["a", 1] + wide[1];
	nested[declared["y", 2]] = 1;
	late = early[0]; early[0] = "text";
}
