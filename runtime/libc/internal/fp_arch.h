/* long double is double: musl needs nothing from here. */
