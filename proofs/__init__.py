"""Proofs about the method itself, on simulated patients: no stage of a study imports them."""
