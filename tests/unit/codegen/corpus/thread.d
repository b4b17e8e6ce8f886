/* Thread-local variables, the fast exit, and slots. */
/*! fire test 1 */
/*! fire one 5 */
/*! fire test 2 */
/*! fire test 3 x3 */
/*! fire one 0 */
/*! fire test 3 */
one:::hit { self->t = arg0; calls++; }
test:::hit / self->t / { @[probefunc] = count(); }
END { trace(calls); trace(self->t); self->n += 4; self->n++; trace(self->n); self->s = "abc"; trace(strlen(self->s)); trace(self->s); }
/*! expect 2 0 5 3 'abc' */
/*! expect @_ f2 = 1 */
/*! expect @_ f3 = 3 */
