/*! error the clauses at BEGIN are too long or too complex for one program */
BEGIN
{
	this->a0 = pid; this->a1 = pid; this->a2 = pid; this->a3 = pid; this->a4 = pid; this->a5 = pid; this->a6 = pid; this->a7 = pid;
	this->b0 = pid; this->b1 = pid; this->b2 = pid; this->b3 = pid; this->b4 = pid; this->b5 = pid; this->b6 = pid; this->b7 = pid;
	this->c0 = pid; this->c1 = pid; this->c2 = pid; this->c3 = pid; this->c4 = pid; this->c5 = pid; this->c6 = pid; this->c7 = pid;
	this->d0 = pid; this->d1 = pid; this->d2 = pid; this->d3 = pid; this->d4 = pid; this->d5 = pid; this->d6 = pid; this->d7 = pid;
	this->e0 = pid; this->e1 = pid; this->e2 = pid; this->e3 = pid; this->e4 = pid; this->e5 = pid; this->e6 = pid; this->e7 = pid;
	trace(this->a0 + this->a1 + this->a2 + this->a3 + this->a4 + this->a5 + this->a6 + this->a7);
	trace(this->b0 + this->b1 + this->b2 + this->b3 + this->b4 + this->b5 + this->b6 + this->b7);
	trace(this->c0 + this->c1 + this->c2 + this->c3 + this->c4 + this->c5 + this->c6 + this->c7);
	trace(this->d0 + this->d1 + this->d2 + this->d3 + this->d4 + this->d5 + this->d6 + this->d7);
	trace(this->e0 + this->e1 + this->e2 + this->e3 + this->e4 + this->e5 + this->e6 + this->e7);
}
