# SPDX-License-Identifier: Apache-2.0
"""A name in other scripts, of one to four bytes a letter."""
from workload import inside, outside, ready, truth

NAME = "na\u00efve_\u0444\u0443\u043d\u043a\u0446\u0438\u044f_\u540d\u524d_\U00020000"
names = {"inside": inside}
exec("def {0}():\n    inside()\ndef {0}x():\n    inside()\n".format(NAME), names)
ready(NAME)
for _ in range(100):
    names[NAME]()
    names[NAME + "x"]()
    outside()
truth(calls=100, flat=100)
