"""The workloads of the batching experiment, and the loops that drive a batcher, ours or a rival's.

Everything loads on first use: a rival that only needs the loops does not import the rest.
"""
