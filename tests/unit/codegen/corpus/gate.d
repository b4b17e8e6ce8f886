/* In which threads events at the groups matter that are dear (test): a program of its own, which the kernel takes too. */
/*! opt gate 1 */
/*! fire test 1 */
/*! fire one 5 */
/*! fire test 2 */
/*! fire test 3 x2 */
/*! fire one 0 */
/*! fire test 3 */
one:::hit { self->t = arg0; self->u[1] = arg0; self->w = (char)arg0; }
test:m:f2:hit / probefunc != "x" && self->t / { @[probefunc] = count(); }
test:::hit / self->w > 3 || self->u[1] == 5 / { @[probefunc] = count(); }
/*! expect @_ f2 = 2 */
/*! expect @_ f3 = 2 */
