#!/usr/sbin/dtrace -s
#pragma D option quiet
  #pragma D option aggsize=4m
#pragma ident "@(#)old"
/* a comment /* that does not nest * / **/
BEGIN { trace("tab\tquote\"back\\slash\x41\101\?\q"); trace("nul\0gone"); trace(""); }
BEGIN/**/{/**/trace(/**/1/**/)/**/;/**/}
BEGIN { ; ; trace(1) }
BEGIN { trace(1); ; trace(2); }
BEGIN { self->int = 1; self->string = "a"; this->self = 2; trace(0X1fUl); trace(1) \
}
;;
BEGIN { trace("zwölf"); }
