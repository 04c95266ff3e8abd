long step(long n);
void sink(long *place);
long chosen(long n);
long replaced(long n);
long first_chosen(long n);
long first_replaced(long n);
long second_chosen(long n);
