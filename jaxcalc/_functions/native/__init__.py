"""Native rows: the functions and their products on a CPU, in C++ behind XLA's foreign functions.

A row is read from memory once; what the accurate forms do more is done while it is in the cache.
The mathematics is that of the forms in `jax.numpy`, which serve wherever these do not: rows along
axes that are not neighbours, or split over devices; a program to be exported; another platform; a
checkout that was never installed, or an installation without a C++ compiler. (`_native` finds the
library, or says why there is none.)

    forms      the maps as forms of primitives
    call.h     what is handed over: the arrays of a call, the list of maps
    vectors.h  exponentials and logarithms of vectors
    storage.h  numbers of 16, 32 and 64 bits
    tile.h     sums and maxima of a row, or of rows side by side
    maps.h     the maps
    rows.cc    a call, tile by tile; compiled for each instruction set
    ffi.cc     the handler, and the threads
    building   how they are compiled where the package is installed

Of a row every bit depends on its numbers alone, not on the batch, the threads or the place.
"""
