# SPDX-License-Identifier: Apache-2.0
"""A name longer than strsize: the first 255 bytes are what counts, in the name and in what it is compared with."""
from workload import inside, outside, ready, truth

NAME = "n" * 300
names = {"inside": inside}
for name in (NAME, NAME[:255], NAME[:254], NAME[:254] + "m" + NAME[255:]):
    exec("def {}():\n    inside()\n".format(name), names)
ready(NAME)
for _ in range(100):
    names[NAME]()                          # matches
    names[NAME[:255]]()                    # matches: the same first 255 bytes
    names[NAME[:254]]()                    # is shorter
    names[NAME[:254] + "m" + NAME[255:]]() # differs in the last byte that counts
    outside()
truth(calls=200, flat=200)
