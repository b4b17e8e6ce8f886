BEGIN { trace($1); trace($$1); trace($$2); trace($3); trace($target); trace($pid); trace($$uid); trace($$0); $2 = 3; get_link_actions++; }
python$target:$1:$2*:line-$1, $1, proc$$1x$::$1a:b { trace(1); }
