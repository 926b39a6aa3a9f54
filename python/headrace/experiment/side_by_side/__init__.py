"""Contenders in turn, medians, bars reached or missed: what the ``side_by_side.py`` of every experiment shares.

``bars`` judges, ``tables`` shows, ``child`` runs one program and times it from outside; ``groups`` and ``program``
are a whole comparison of commands that print their figures as a line of JSON.
"""
