"""The pieces of :mod:`lithify.media.pixels`: from the encoded bytes of a picture to its pixels.

``headers`` tells formats apart and reads sizes, ``jpeg``, ``pnm`` and ``general`` decode, ``turning`` applies what
EXIF says, ``cutting`` makes squares, ``many`` decodes lists in threads, ``showing`` makes pictures small for reports.
Pillow and simplejpeg are imported when the first picture needs them.
"""
