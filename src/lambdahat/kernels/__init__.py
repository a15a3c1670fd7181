"""Numba loops: plain contiguous arrays in, plain arrays out. Each file is self-contained, for numba's cache."""
