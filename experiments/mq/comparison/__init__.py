"""The parts of ``side_by_side.py``: build and name the contenders, run one, judge the figures."""
