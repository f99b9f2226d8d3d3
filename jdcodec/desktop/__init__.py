"""`.jdc` on the desktops of Linux and BSD: file type, thumbnails, what a double click does, manual pages.

Follows the specifications of freedesktop.org: shared MIME-info database, thumbnailers, desktop entries and
base directories. The commands to describe are passed in.
"""
