/* lines: 15 */
/* Text: read from the process, made, cut, searched, compared. */
#pragma D option quiet
#pragma D option strsize=24
python$1:__main__:[a-e]*:function-entry
{
	this->s = strjoin(copyinstr(arg1), strjoin("/", probename));
	printf("%s|%s|%s|%d|%d|%s\n", this->s, basename(this->s), dirname(this->s), strlen(this->s), index(this->s, "/"),
	    substr(this->s, 2, 5));
	names[copyinstr(arg1)] = this->s;
	self->last = copyinstr(arg1);
}
syscall::openat:entry
/self->last == "calls"/
{ printf("%s|%s|%s\n", copyinstr(arg1), strstr(copyinstr(arg1), "such"), copyinstr(arg1, 6)); }
syscall::write:entry
/pid == $1 && arg2 == 17/
{ printf("%s|%s|%d\n", stringof(copyin(arg1, 17)), copyinstr(arg1, 17), copyinstr(arg1, 9) == "seventeen"); }
syscall::write:entry
/pid == $1 && arg2 == 17/
{ trace(copyinstr(arg1, 17)); printf("\n"); }
python$1:__main__:last:function-entry
{ printf("%s|%s|%s\n", self->last, names["calls"], names["catch"] < names["calls"] ? "less" : "more"); }
