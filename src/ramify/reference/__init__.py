"""NumPy twins of the native kernels, for tests: short and slow."""
