/* args: 12 word 0x10 */
#pragma D option quiet
BEGIN
{
	printf("%d %s %d %s\n", $1, $$2, $3, $$1);
	exit(0);
}
