"""Names of array types, by the type of their elements."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I8 = npt.NDArray[np.int8]
I16 = npt.NDArray[np.int16]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.integer[Any]]  # row numbers of any width
F32OrF64 = TypeVar("F32OrF64", F32, F64)  # for what keeps the precision that it is given
