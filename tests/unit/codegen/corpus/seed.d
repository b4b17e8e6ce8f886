/* The script of 2007, with probes of the test in place of python and syscall. */
/*! fire dyn 7 8 "q" "file.py" "get_link_actions" 10 */
/*! fire test 4 */
/*! fire test 5 x2 */
/*! fire one 0 "get_link_actions" */
/*! fire one 0 "other" */
/*! fire dyn 7 8 "q" "file.py" "other" 10 */
/*! fire test 6 */
dyn:::hit
/copyinstr(arg1) == "get_link_actions"/
{ self->t = 1; calls++; }

one:::hit
/copyinstr(arg1) == "get_link_actions" && self->t/
{ self->t = 0; }

test:::hit
/self->t/
{ @[probefunc] = count(); }

END
{ printf("calls: %d", calls); }
/*! expect 1 */
/*! expect @_ f4 = 1 */
/*! expect @_ f5 = 2 */
