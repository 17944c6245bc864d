"""Between the caller's frame and arrays: which columns take part, their values of any dtype, what goes back."""
