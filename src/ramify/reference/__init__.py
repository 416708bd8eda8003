"""Plain NumPy twins of the native kernels: slow, short, and the tests' oracle."""
