/* exit() ends the run: nothing fires after it but END. */
/*! fire one 1 */
/*! fire one 1 */
one:::hit { trace(1); exit(3); trace(2); }
/*! expect 1 3 2 */
one:::hit { trace("not here"); }
END { trace("end"); exit(5); }
END { trace("end too"); }
/*! expect end 5 */
/*! expect end too */
