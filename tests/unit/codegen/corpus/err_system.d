/*! error err_system.d:2:9: system() is not implemented yet */
BEGIN { system("ls"); }
