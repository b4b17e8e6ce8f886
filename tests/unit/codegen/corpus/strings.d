/* Functions of strings. */
BEGIN { trace(basename("/foo/bar/baz")); trace(basename("/foo///")); trace(basename("/")); trace(basename("")); trace(basename("x")); }
/*! expect 'baz' 'foo' '/' '.' 'x' */
BEGIN { trace(dirname("/foo/bar/baz")); trace(dirname("/foo")); trace(dirname("foo/")); trace(dirname("")); trace(dirname("//a//b")); }
/*! expect '/foo/bar' '/' '.' '.' '//a' */
BEGIN { trace(substr("abcdef", 2)); trace(substr("abcdef", -2)); trace(substr("abcdef", 1, 3)); trace(substr("abcdef", 1, -1)); trace(substr("abc", 7)); }
/*! expect 'cdef' 'ef' 'bcd' 'bcde' '' */
BEGIN { trace(index("hello world", "o")); trace(index("hello world", "o", 5)); trace(index("hello", "xyz")); trace(strstr("hello world", "lo w")); trace(strstr("abc", "d")); }
/*! expect 4 7 -1 'lo world' '' */
BEGIN { s = strjoin("foo", "bar"); t = strjoin(s, s); trace(t); trace(strlen(t)); trace(t == "foobarfoobar"); trace(s < t); trace("b" > s); trace(index(t, s, 1)); }
/*! expect 'foobarfoobar' 12 1 1 0 6 */
BEGIN { self->s = "x"; self->s = strjoin(self->s, self->s); trace(self->s); this->l = self->s; trace(this->l); names[1, "k"] = this->l; trace(names[1, "k"]); trace(names[2, "k"]); }
/*! expect 'xx' 'xx' 'xx' '' */
BEGIN { trace("0123456789012345678901234567890123456789012345678901234567890123456789"); trace(strlen(strjoin("012345678901234567890123456789012345678901234567890123456789", "0123456789"))); }
/*! expect 012345678901234567890123456789012345678901234567890123456789012 63 */
/*! fire one 3 "user-text" 0x10 */
one:::hit { trace(copyinstr(arg1)); trace(copyinstr(arg1, 5)); trace(strlen(copyinstr(arg1))); trace(copyin(arg1, 4)); trace(*(char *)arg1); }
/*! expect 'user-text' 'user' 9 75736572 117 */
one:::hit { trace(1); trace(copyinstr(arg2)); }
/*! expect FAULT 2 1 */
one:::hit { self->fine = 1; trace(self->fine ? "yes" : copyinstr(arg2)); }
/*! expect 'yes' */
