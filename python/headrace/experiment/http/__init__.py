"""The http part: task kinds, the server that is measured, and the process that puts it under load.

``tasks`` is what every server runs, ours and the peers' alike; ``server`` starts one and knows what it costs;
``workload`` is one case, from the first connection to the figures; ``app`` is the server over ``headrace.http.App``.
"""
