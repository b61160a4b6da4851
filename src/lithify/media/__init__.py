"""Reading what people keep, from raw bytes to content, without ever raising on bad input.

``mime`` is the face for mail; ``headers``, ``structure``, ``parameters``, ``transfer``, ``words`` and ``dates`` are its
pieces. ``html`` turns HTML into text. Only the standard library is imported at load.
"""
