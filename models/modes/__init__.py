"""The two orders of the steps: rigorous (training rows alone), as published (everyone, LEAKING)."""
