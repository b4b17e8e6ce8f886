/* A clause without a body records that it fired; one with an empty body too. */
/*! fire test 8 */
/*! fire one 1 */
test:::hit;
one:::hit { }
/*! expect f8 */
/*! expect f */
