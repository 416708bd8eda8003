"""The only importer of the native module: checks dtype, shape and range before anything reaches C++.

One module per room of kernels; each has a plain NumPy twin of the same name in ``ramify.reference``.
"""
