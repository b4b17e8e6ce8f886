/* Built-in variables. */
/*! fire test 2 0 */
test:::hit { trace(pid > 0 && tid > 0 && ppid > 0); trace(timestamp > 1000); trace(walltimestamp > 1000000000000000000); trace(vtimestamp >= 0); trace(cpu >= 0); trace(id); trace(epid); trace(errno); trace(uid); trace(gid); trace(strlen(execname) > 0); }
/*! expect 1 1 1 1 1 102 1 0 0 0 1 */
/* One firing, one time. */
test:::hit { this->t = timestamp; this->w = walltimestamp; @ = count(); this->same = timestamp == this->t; }
test:::hit { trace(this->same); trace(walltimestamp - timestamp); trace(timestamp >= this->t); }
/*! expect 1 1000000000000000000 1 */
/*! expect @_ = 1 */
