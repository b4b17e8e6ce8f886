/* '/' divides, ends a predicate, and begins a comment. */
BEGIN /x / 2 / /* why */ { y = 6 / x; }
BEGIN /x / 2/{ y = x / 2 / y; }
BEGIN /x/

{ x /= 2; y = x /* two */ / 2; }
BEGIN /(x / 2) / (x / 3)/ { x = 1; }
syscall::*:entry /"a/b" != execname/ { x = 'a/' / 2; }
