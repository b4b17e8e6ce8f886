/* The three distributions. */
#pragma D option quiet
BEGIN
{
	@q = quantize(0); @q = quantize(1); @q = quantize(3); @q = quantize(3); @q = quantize(-5);
	@q = quantize(1000);
	@l = lquantize(-3, 0, 100, 10); @l = lquantize(5, 0, 100, 10); @l = lquantize(55, 0, 100, 10);
	@l = lquantize(55, 0, 100, 10); @l = lquantize(100, 0, 100, 10);
	@ll = llquantize(5, 10, 0, 3, 10); @ll = llquantize(150, 10, 0, 3, 10); @ll = llquantize(99999, 10, 0, 3, 10);
	exit(0);
}
