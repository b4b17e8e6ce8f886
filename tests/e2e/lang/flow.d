/* flags: -F */
BEGIN { printf("begun"); exit(0); }
END { trace(7); }
