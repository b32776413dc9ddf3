"""The recurrence in C, for CPUs: kernels (C), their compiled library, and layers that call it."""
