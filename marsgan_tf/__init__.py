"""MARSGAN super-resolution of orbital images of Mars.

The rooms, in the order in which data flows: `imaging` (rasters), `dataset`
(training pairs on disk), `layers`, `models`, `training`. Importing the
package loads no TensorFlow.

Reference: Tao et al. 2021, https://doi.org/10.3390/rs13091777
"""

__version__ = "0.1.0"
