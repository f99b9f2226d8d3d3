"""A demonstration that needs nothing: makes a noisy RAW photo, codes it, and shows what comes back.

Run it with `python -m jdcodec.demo`. It is a user of the package like any other, and no part of the codec.
"""
