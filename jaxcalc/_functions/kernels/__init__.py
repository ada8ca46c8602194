"""Rows of a softmax on NVIDIA Hopper GPUs and newer, in one kernel that reads and writes them once.

A row is split over a cluster of up to eight blocks, which hold their shares in shared memory, pass
over them as often as the accurate forms need, and combine sums and maxima through the memory of
each other.

| file       | what                                                  |
|------------|-------------------------------------------------------|
| `layout`  | how a row is split, and which rows can be             |
| `rows`    | the kernel around a map of rows; needs Pallas         |
| `columns` | the same for axes before the last                     |
| `blocks`  | what both share                                       |
| `maps`    | the maps, from sums and maxima over a row             |
| `forms`   | the kernels as forms of primitives, and what is refused |

Pallas is imported when a kernel is first asked for.
"""

from jaxcalc._functions.kernels import maps as maps
from jaxcalc._functions.kernels.forms import kernel_form as kernel_form
from jaxcalc._functions.kernels.forms import refused_form as refused_form
from jaxcalc._functions.kernels.layout import check_rows as check_rows
from jaxcalc._functions.kernels.layout import fits as fits

__all__ = ["check_rows", "fits", "kernel_form", "maps", "refused_form"]
