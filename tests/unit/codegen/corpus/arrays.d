/* Associative arrays: of globals, of a thread, and what is 0 is gone. */
/*! opt dynvarsize 400 */
BEGIN { a[1] = 10; a[2]++; a[2] += 5; trace(a[1]); trace(a[2]); trace(a[3]); a[1] = 0; trace(a[1]); }
/*! expect 10 6 0 0 */
BEGIN { self->b["x", 3] = 7; trace(self->b["x", 3]); trace(self->b["y", 3]); self->b["x", 3] -= 7; trace(self->b["x", 3]); self->c[tid] = timestamp; trace(self->c[tid] > 0); }
/*! expect 7 0 0 1 */
BEGIN { m[0] = 1; m[1] = 1; m[2] = 1; m[3] = 1; m[4] = 1; m[5] = 1; m[6] = 1; m[7] = 1; }
/*! expect drops 0 0 3 0 */
