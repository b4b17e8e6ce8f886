/* The longest strings: records and keys whose offsets pass 16 bits. */
/*! opt strsize 8192 */
/*! opt aggsize 1000000 */
/*! opt dynvarsize 1000000 */
BEGIN { s = strjoin("a", "b"); }
BEGIN { trace(s); trace(s); trace(s); trace(s); trace(s); trace(7); trace(s); trace(8); }
/*! expect 'ab' 'ab' 'ab' 'ab' 'ab' 7 'ab' 8 */
BEGIN { @[s, s, s, s, s, 5] = count(); x[s, s, s, s, s, 3] = 4; trace(x[s, s, s, s, s, 3]); trace(s == "ab" && s < "b"); }
/*! expect 4 1 */
BEGIN { self->s = s; y[1] = self->s; trace(y[1]); trace(basename("/x/y")); trace(substr(s, 1)); }
/*! expect 'ab' 'y' 'b' */
/*! expect @_ 'ab' 'ab' 'ab' 'ab' 'ab' 5 = 1 */
