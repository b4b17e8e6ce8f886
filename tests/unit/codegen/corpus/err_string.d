/*! opt strsize 8192 */
/*! error the script's strings need 65536 bytes at a time, and there are 60000: lower strsize */
BEGIN { a = "a"; b = strjoin(strjoin(a, a), strjoin(strjoin(a, a), a)); }
