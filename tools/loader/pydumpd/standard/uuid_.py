# SPDX-License-Identifier: Apache-2.0
"""UUIDs."""

import uuid
from typing import Any

from ..refs import Ref
from . import real
from .written import attributes, exactly, whole


@real(uuid.UUID, "uuid.UUID", python=True)
def uuid_(ref: Ref, cls: type) -> Any:
    """From its 128 bits."""
    whole(cls, uuid.UUID)
    (bits,) = attributes(ref, "int")
    return uuid.UUID(int=exactly(bits, int))
