inline int LIMIT = 3 * $1;
inline string NAME = $$2; inline uint8_t SMALL = LIMIT + 300;
inline char *NOWHERE = NULL;
BEGIN /LIMIT == 369 && NAME == "get_link_actions"/
{
	x = LIMIT + SMALL;
	s = NAME;
	p = NOWHERE;
	@[NAME] = lquantize(x, 0, LIMIT);
	self->LIMIT = 1;
}
