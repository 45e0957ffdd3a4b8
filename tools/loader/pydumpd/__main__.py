# SPDX-License-Identifier: Apache-2.0
import os
import sys

# "python -m" looks into the current folder first. A msgpack.py that lies
# beside a dump from elsewhere is not the one that is meant.
if sys.path and sys.path[0] in ("", os.getcwd()):
    if not os.path.isdir(os.path.join(sys.path[0] or ".", "pydumpd")):
        del sys.path[0]

from .cli import main  # noqa: E402

sys.exit(main())
