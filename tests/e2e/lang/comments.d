/* comments /* do not nest, and may stand
   anywhere */
#pragma D option quiet
BEGIN /* here */ /1 /* and here */ == 1/
{
	/* and here */ printf("/* not here */\n") /* but here */ ;
	exit(0);
}
