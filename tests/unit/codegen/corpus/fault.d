/* A conjunct that faults does so in a thread, too, for which a later one is false: there is no way past it. */
/*! opt gate 1 */
/*! fire test 1 0x10 */
/*! fire one 0x10 */
/*! fire one 1 */
BEGIN { zero = 0; }
END / 0 / { self->t = 1; self->u[1] = 1; }
test:::hit / copyinstr(arg0) == "x" && self->t / { trace(1); }	/*! expect FAULT 0 1 */
test:::hit / self->t && copyinstr(arg0) == "x" / { trace(2); }
one:::hit / arg0 / zero && self->t / { trace(3); }		/*! expect FAULT 0 4 */
one:::hit / self->u[1 % zero] / { trace(4); }			/*! expect FAULT 0 4 */
/*! expect FAULT 0 4 */
/*! expect FAULT 0 4 */
