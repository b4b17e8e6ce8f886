/*! opt strsize 4096 */
/*! error err_search.d:3:37: index() needs a strsize of at most 256 to search for what is no constant */
BEGIN { s = "x"; t = "y"; trace(1 + index(s, t)); }
