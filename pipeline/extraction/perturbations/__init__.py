"""Masks and images changed a little, to see which features survive it.

Zwanenburg et al. [1]_ found that features which stay the same in a repeated scan can be told from
one scan, if its image and mask are perturbed: noise of the image's own level, a grid that is moved
by parts of a voxel or turned, a mask that is a little larger or smaller, an outline drawn anew.

- `noise`: how noisy a CT is, and the same CT with as much noise again
- `grids`: the grid that a region is resampled to, moved and turned
- `outlines`: masks that are grown, shrunk, and drawn anew
- `drawing`: what is drawn for a repetition, from seeds of its own
- `repeating`: all repetitions of one mask, with what they share done once

References
----------
.. [1] Zwanenburg A, Leger S, Agolli L, et al. Assessing robustness of radiomic features by image
   perturbation. Sci Rep 2019;9:614. doi:10.1038/s41598-018-36938-4
"""
