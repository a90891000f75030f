"""Our own CPU engine for gpt-oss: Python that reads like the model, C++ kernels under it."""
