"""A model's bytes → a session of onnxruntime: one float32 input, one output looked at.

onnxruntime is imported only here, and only when a model is loaded.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.predictors.about import CannotLoad
from imaging.predictors.reasons import one_line, reason

__all__ = ["Session"]

#: Weights in a file beside the model would run without being hashed, and are looked for in the
#: working directory. Nothing can stand in here.
_NO_FOLDER = "/dev/null/none"
_NO_VERSION = 2**63 - 1  #: what onnxruntime tells of a model that has none
_FLOATS = ("tensor(float)", "tensor(float16)", "tensor(double)")
_NO_MEMORY = re.compile(r"bad_alloc|bad allocation|[Ff]ailed to allocate")
_ERROR = re.compile(r"\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : ")
_FOLDERS = re.compile(r"(?:[^\s/\"']*/)+(?=[^\s/\"'])")


@dataclass(frozen=True, slots=True)
class Session:
    """A model that is loaded."""

    handle: Any  #: onnxruntime's InferenceSession
    input_name: str
    input_shape: tuple[int | str | None, ...]  #: a text or None: any number
    output_name: str
    version: str | None  #: of the model, where its file tells one
    runtime: str  #: onnxruntime's version

    @classmethod
    def load(cls, model: bytes) -> Session:
        """Load a model. Raises `CannotLoad`, and MemoryError, which says nothing of the model."""
        runtime = _runtime()
        try:
            handle = runtime.InferenceSession(
                model, _options(runtime), providers=["CPUExecutionProvider"]
            )
            inputs, outputs = handle.get_inputs(), handle.get_outputs()
            version = handle.get_modelmeta().version
        except MemoryError:
            raise
        except Exception as error:
            if _NO_MEMORY.search(str(error)):
                raise MemoryError(str(error)) from error
            raise CannotLoad(_reason(error)) from error
        if len(inputs) != 1:
            raise CannotLoad(f"it has {len(inputs)} inputs, not one")
        if inputs[0].type != "tensor(float)":
            raise CannotLoad(f"its input is {inputs[0].type}, not float32")
        if not outputs or outputs[0].type not in _FLOATS:
            found = outputs[0].type if outputs else "missing"
            raise CannotLoad(f"its first output is {found}, not floats")
        return cls(
            handle=handle,
            input_name=inputs[0].name,
            input_shape=tuple(inputs[0].shape),
            output_name=outputs[0].name,
            version=None if version == _NO_VERSION else str(version),
            runtime=runtime.__version__,
        )

    def run(self, pictures: NDArray[np.float32]) -> NDArray[Any]:
        """Return the first output. Raises whatever onnxruntime does."""
        output: NDArray[Any] = self.handle.run([self.output_name], {self.input_name: pictures})[0]
        return output


def _runtime() -> ModuleType:
    """The module onnxruntime, told to keep to itself: its Linux builds report what is loaded.

    It asks the environment once, when it is imported; the function stops what is asked later.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        told = 'onnxruntime is not installed: install the extra "onnx" and start again'
        raise CannotLoad(told) from error
    except Exception as error:
        raise CannotLoad(f"onnxruntime cannot be imported: {reason(error)}") from error
    onnxruntime.disable_telemetry_events()
    runtime: ModuleType = onnxruntime
    return runtime


def _options(runtime: ModuleType) -> Any:
    """One thread a process, for there is a process for each core; no words on stderr."""
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # It would keep the most that a batch ever took, and the process be replaced for having grown.
    options.enable_cpu_mem_arena = False
    for name, value in (
        ("session.intra_op.allow_spinning", "0"),
        ("session.inter_op.allow_spinning", "0"),
        ("session.model_external_initializers_file_folder_path", _NO_FOLDER),
    ):
        options.add_session_config_entry(name, value)
    return options


def _reason(error: Exception) -> str:
    """What onnxruntime says is wrong, without its codes and without anybody's folders."""
    text = str(error)
    if "external data" in text.lower():
        return "its weights are in another file (external data): save it as one file"
    words = _FOLDERS.sub("", _ERROR.sub("", text[:2000]))
    return one_line(words) or reason(error)
