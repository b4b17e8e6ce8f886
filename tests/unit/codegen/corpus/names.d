/* Names of probes: compared when the program is made, and as text. */
/*! fire test 3 */
/*! fire test 65 */
/*! fire dyn 9 8 "pkg.Class.method" */
/*! fire dyn 0 0 "none" */
test:::hit / probefunc == "f3" / { trace(probefunc); trace(strlen(probefunc)); trace(strjoin(probefunc, probename)); }
/*! expect f3 2 'f3hit' */
test:::hit / probefunc != "f3" && probeprov == "test" / { trace(probefunc); trace(id); }
test:::hit / probefunc > "f64" && "f66" > probefunc / { trace("between"); }
test::f3*:hit { trace(probemod); }
/*! expect m */
test:::hit { s = probefunc; trace(s); a[probefunc] = 5; a[s]++; trace(a[probefunc]); }
/*! expect 'f3' 6 */
/*! expect f65 165 */
/*! expect between */
/*! expect 'f65' 6 */
dyn:::hit { trace(probefunc); trace(strlen(probefunc)); trace(probefunc == "pkg.Class.method"); trace(probename); }
dyn:d*::hit { trace("filtered"); }
/*! expect fid9 16 1 hit */
/*! expect filtered */
/*! expect df 2 0 hit */
one:::hit { trace(1); }
