/* All aggregating functions. */
/*! fire test 0 5 */
/*! fire test 0 -3 */
/*! fire test 1 100 */
test:::hit { @c[probefunc] = count(); @s = sum(arg0); @mn = min(arg0); @mx = max(arg0); @av = avg(arg0); @sd = stddev(arg0); }
test:::hit { @q = quantize(arg0); @l = lquantize(arg0, 0, 50, 10); @ll = llquantize(arg0, 10, 0, 3, 10); }
test:::hit { @k[probefunc, arg0, "lit", pid > 0] = count(); @t[probefunc] = count(); @t[strjoin("x", "y")] = count(); }
test:::hit { @mixed[arg0 > 0 ? "pos" : "neg"] = count(); @n[probefunc] = count(); @n[probename] = count(); }
/*! expect @c f0 = 2 */
/*! expect @c f1 = 1 */
/*! expect @s = 3 102 */
/*! expect @mn = 3 -3 */
/*! expect @mx = 3 100 */
/*! expect @av = 3 102 */
/*! expect @sd = 3 102 10034 0 */
/*! expect @q = 0:3 62:1 67:1 71:1 */
/*! expect @l = 0:3 1:1 2:1 7:1 */
/*! expect @ll = 0:3 1:1 6:1 20:1 */
/*! expect @k f0 -3 lit 1 = 1 */
/*! expect @k f0 5 lit 1 = 1 */
/*! expect @k f1 100 lit 1 = 1 */
/*! expect @t 'xy' = 3 */
/*! expect @t f0 = 2 */
/*! expect @t f1 = 1 */
/*! expect @mixed 'neg' = 1 */
/*! expect @mixed 'pos' = 2 */
/*! expect @n 'f0' = 2 */
/*! expect @n 'f1' = 1 */
/*! expect @n 'hit' = 3 */
