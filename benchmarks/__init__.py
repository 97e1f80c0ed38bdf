"""Measurements that back the figures in the documentation; nothing of the pipeline imports them."""
