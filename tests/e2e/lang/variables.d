/* Variables that nobody set are zero or empty; each scope is its own. */
#pragma D option quiet
string text;
BEGIN
{
	printf("%d %d [%s]\n", self->never, global, text);
	x = 1; self->x = 2; this->x = 3;
	printf("%d %d %d\n", x, self->x, this->x);
	self->s = "thread"; this->s = "clause"; text = "global";
	self->x = 0;
}
BEGIN
{
	printf("%d %d %d [%s] [%s]\n", x, self->x, this->x, self->s, text);
	self->x++;
	self->big = (uint64_t)1 << 50;
}
BEGIN
{
	printf("%d %d\n", self->x, self->big);
	self->never = 1; global = 1;
	exit(0);
}
